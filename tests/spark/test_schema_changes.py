"""Columns come, go and change (C26-C28): what is additive goes on, the rest is refused at once."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from glue_job import failpoints
from glue_job.errors import JobError
from tests.spark.engine import read_delta
from tests.spark.small_lake import CONFIG, SmallLake, change

pytestmark = pytest.mark.spark

CITY = "      - {name: city, type: string}\n"
WITH_CITY = CONFIG.replace("    dq_rules:", f"{CITY}    dq_rules:")
WITHOUT_NAME = CONFIG.replace("      - {name: name, type: string}\n", "").replace(
    "    transforms:\n      - {id: lower_name, type: lower, column: name, order: 1}\n", ""
)

IGNORING_AGE = CONFIG.replace(
    "primary_key: id", "primary_key: id\n    history: {ignore_columns: [age]}"
)


@pytest.fixture(scope="module")
def begun(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SmallLake:
    lake = SmallLake(spark, tmp_path_factory.mktemp("begun"))
    lake.take(0, [change("insert", key, key, name="Ann", age=30) for key in (1, 2, 3, 4)])
    return lake


@pytest.fixture
def lake(begun: SmallLake, tmp_path: Path) -> SmallLake:
    shutil.copytree(begun.folder, tmp_path, dirs_exist_ok=True)
    return replace(begun, folder=tmp_path)


def cities(lake: SmallLake, key: int) -> list[tuple[object, ...]]:
    timeline = iter(lake.timeline())
    return [
        (*row[3:], held.get("city"))
        for held, row in zip(lake.history(), timeline, strict=True)
        if row[0] == key
    ]


def test_an_added_column_fills_the_current_row_in_place(lake: SmallLake) -> None:
    wide = lake.under(WITH_CITY)
    wide.take(
        1,
        [
            change("update", 1, 10, name="Ann", age=30, city="Bern"),
            change("update", 2, 10, name="Ann", age=30),
            change("update", 3, 10, name="Ann", age=30, city=None),
            change("update", 4, 10, name="Ann", age=31, city="Rom"),
        ],
    )
    assert cities(lake, 1) == [(1, None, "Bern")]
    assert cities(lake, 2) == [(2, None, None)]
    assert cities(lake, 3) == [(3, None, None)]
    assert cities(lake, 4) == [(4, 10, None), (10, None, "Rom")]
    # For 2 the city is unknown still, for 3 it is known to be null.
    wide.take(
        2,
        [change("update", key, 20, name="Ann", age=30, city="Oslo") for key in (2, 3)],
    )
    assert cities(lake, 2) == [(2, None, "Oslo")]
    assert cities(lake, 3) == [(3, 20, None), (20, None, "Oslo")]


def test_a_batch_that_was_begun_before_the_column_came_does_not_know_it(
    lake: SmallLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDCCTL_TEST_HOOKS", "1")
    monkeypatch.setenv("CDCCTL_FAILPOINT", "before-history:raise")
    monkeypatch.setattr(failpoints, "_reached", {})
    messages = [change("update", 1, 10, name="Zoe", age=30)]
    with pytest.raises(failpoints.FailpointReached):
        lake.take(1, messages)
    monkeypatch.delenv("CDCCTL_FAILPOINT")
    wide = lake.under(WITH_CITY)
    wide.take(1, messages)
    wide.take(2, [change("update", 1, 20, name="Zoe", age=30, city="Bern")])
    assert cities(lake, 1) == [(1, 10, None), (10, None, "Bern")]


def test_a_removed_column_keeps_the_values_it_has(lake: SmallLake) -> None:
    lake.under(WITHOUT_NAME).take(
        1,
        [
            change("update", 1, 10, name="Zoe", age=31),
            change("insert", 9, 10, name="Zoe", age=9),
        ],
    )
    assert lake.timeline()[:2] == [(1, "ann", 30, 1, 10), (1, None, 31, 10, None)]
    assert lake.timeline()[-1] == (9, None, 9, 10, None)
    (drift,) = [
        row
        for row in read_delta(lake.paths.metrics)
        if row["metric_name"] == "unknown_field" and row["column_name"] == "name"
    ]
    assert drift["batch_id"] == 1


@pytest.mark.parametrize(
    ("config", "code", "said"),
    [
        (
            CONFIG.replace("{name: age, type: integer}", "{name: age, type: long}"),
            "LAK010",
            "column `age` of `people` is int in the lake and bigint in the config",
        ),
        (
            CONFIG.replace("primary_key: id", "primary_key: [id, age]").replace(
                "{name: age, type: integer}", "{name: age, type: integer, nullable: false}"
            ),
            "LAK011",
            "is (id) in the lake and (id, age) in the config",
        ),
        (
            CONFIG.replace(
                "primary_key: id", "primary_key: id\n    history: {ignore_columns: [age]}"
            ),
            "LAK012",
            "`ignore_columns` of `people` changed: age",
        ),
    ],
)
def test_what_history_cannot_follow_is_refused_before_the_first_write(
    lake: SmallLake, config: str, code: str, said: str
) -> None:
    versions = lake.versions()
    with pytest.raises(JobError) as refused:
        lake.under(config).take(1, [change("insert", 9, 10, name="Zoe", age=9)])
    assert refused.value.code == code
    assert said in refused.value.what
    assert refused.value.fix
    assert lake.versions() == versions


def test_other_ignored_columns_are_taken_after_a_rebuild(lake: SmallLake) -> None:
    from glue_job.repair import answer
    from tests.spark.test_repair import request

    ignoring = lake.under(IGNORING_AGE)
    lake.take(1, [change("update", 1, 10, name="Ann", age=31)])
    assert len(lake.timeline()) == 5
    answer(ignoring.job(rebuilds=True), request("rebuild"))
    assert lake.timeline()[0] == (1, "ann", 31, 1, None)
    ignoring.take(2, [change("update", 1, 20, name="Ann", age=32)])
    assert lake.timeline()[0] == (1, "ann", 32, 1, None)
    with pytest.raises(JobError, match="ignore_columns"):
        lake.take(3, [change("update", 1, 30, name="Ann", age=33)])
