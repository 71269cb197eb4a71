"""Keys that a complete load has not brought are closed, once, and a rebuild closes them too."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from glue_job import failpoints
from glue_job.errors import JobError
from glue_job.repair import answer
from glue_job.requests import Answer, Load, Request, Selection
from tests.oracle.dms import Record
from tests.spark.small_lake import CONFIG, TABLE, Sent, SmallLake, at, change

pytestmark = pytest.mark.spark

BEGAN = at(10)


def loaded(key: int, minutes: float, **values: Any) -> Record:
    return Record("load", TABLE, {"id": key, **values}, at(minutes))


def ask(lake: SmallLake, kind: str = "close", number: int = 1, **values: Any) -> Answer:
    asked = Request(f"r{number}", kind, TABLE, "op", at(100), **values)
    return answer(lake.job(rebuilds=kind == "rebuild"), asked)


def of(rows: int = 3, most_share: float = 0.2) -> Load:
    return Load(BEGAN, rows, most_share)


@pytest.fixture(scope="module")
def loaded_twice(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SmallLake:
    """Take five keys, then a load that brings three (one of them refused), and a change."""
    lake = SmallLake(spark, tmp_path_factory.mktemp("loaded"))
    first = [loaded(key, 1, name=f"n{key}", age=30) for key in (1, 2, 3, 4)]
    lake.take(0, [*first, change("insert", 5, 2, name="Eve", age=5)])
    again = [loaded(1, 11, name="n1", age=30), loaded(2, 11, name="n2", age=31)]
    refused = loaded(3, 11, name="n3", age=300)
    lake.take(1, [*again, refused, change("update", 4, 12, name="Dan", age=44)])
    return lake


@pytest.fixture
def lake(loaded_twice: SmallLake, tmp_path: Path) -> SmallLake:
    shutil.copytree(loaded_twice.folder, tmp_path, dirs_exist_ok=True)
    return replace(loaded_twice, folder=tmp_path)


def of_key(lake: SmallLake, key: int) -> list[tuple[Any, ...]]:
    return [row[1:] for row in lake.timeline() if row[0] == key]


def test_what_a_load_has_not_brought_is_closed_once(lake: SmallLake) -> None:
    before, versions = lake.timeline(), lake.versions()
    foreseen = ask(lake, load=of(), dry_run=True)
    assert foreseen.counts == {"current": 5, "loaded": 3, "missing": 1}
    assert lake.versions() == versions
    assert ask(lake, load=of()).counts == {**foreseen.counts, "closed": 1}
    assert of_key(lake, 5) == [("eve", 5, 2, 10)]
    assert [row for row in lake.timeline() if row[0] != 5] == before[:-1]
    versions = lake.versions()
    assert ask(lake, load=of()).counts["closed"] == 1
    assert lake.versions() == versions
    assert set(ask(lake, "rebuild", 3).counts.values()) == {0}
    # A row of the load that comes late says that the key is there.
    lake.take(2, [loaded(5, 11, name="Eve", age=5)])
    assert of_key(lake, 5) == [("eve", 5, 2, 10), ("eve", 5, 11, None)]


def test_nothing_is_closed_on_a_doubt(lake: SmallLake) -> None:
    versions = lake.versions()
    for load, code in ((of(rows=4), "LAK070"), (of(most_share=0.19), "LAK072")):
        with pytest.raises(JobError) as refused:
            ask(lake, load=load)
        assert (refused.value.code, lake.versions()) == (code, versions)


@pytest.mark.slow
def test_a_refused_message_without_a_key_may_be_any_key(lake: SmallLake) -> None:
    lake.take(2, [Sent(0, 2000, "{")])
    with pytest.raises(JobError, match="cannot be told"):
        ask(lake, load=of())
    ask(lake, "discard", 2, selection=Selection(rule="BAD_JSON"))
    assert ask(lake, number=3, load=of()).counts["closed"] == 1


def reopened(lake: SmallLake) -> None:
    lake.take(2, [change("insert", 5, 20, name="Eva", age=6), change("insert", 6, 20, name="F")])


@pytest.mark.parametrize(
    ("point", "meanwhile"),
    [
        pytest.param("after-record", lambda lake: None, marks=pytest.mark.slow),
        ("after-record", reopened),
        pytest.param("after-ledger", reopened, marks=pytest.mark.slow),
    ],
)
def test_a_closing_that_failed_is_finished(
    point: str,
    meanwhile: Callable[[SmallLake], None],
    lake: SmallLake,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CDCCTL_TEST_HOOKS", "1")
    monkeypatch.setattr(failpoints, "_reached", {})
    monkeypatch.setenv("CDCCTL_FAILPOINT", f"{point}:raise")
    with pytest.raises(failpoints.FailpointReached):
        ask(lake, load=of())
    monkeypatch.delenv("CDCCTL_FAILPOINT")
    meanwhile(lake)
    assert ask(lake, load=of()).counts["closed"] == 1
    assert of_key(lake, 5)[0] == ("eve", 5, 2, 10)
    assert set(ask(lake, "rebuild", 2).counts.values()) == {0}


@pytest.mark.slow
def test_changes_without_commit_times_stay_readable(spark: SparkSession, tmp_path: Path) -> None:
    lake = SmallLake(spark, tmp_path, CONFIG)
    lake.take(0, [Record("insert", TABLE, {"id": 1, "age": 1}, at(1))])
    assert ask(lake, load=of(rows=0, most_share=1.0)).counts["closed"] == 1
    later = Record("insert", TABLE, {"id": 1, "age": 2}, at(20))
    assert lake.take(1, [later]).outcomes["applied"] == 1
    assert of_key(lake, 1) == [(None, 1, 1, 10), (None, 2, 20, None)]
