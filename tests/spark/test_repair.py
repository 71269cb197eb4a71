"""Releases from quarantine, discards and rebuilds, each done once and in its place."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from glue_job import failpoints
from glue_job.errors import JobError
from glue_job.repair import answer
from glue_job.requests import Answer, Request, Selection
from tests.spark.small_lake import CONFIG, TABLE, TOPIC, Sent, SmallLake, at, change

pytestmark = pytest.mark.spark

LENIENT = CONFIG.replace("max: 120", "max: 500")
MESSAGES = [
    change("insert", 1, 1, name="Ann", age=30),
    change("update", 1, 5, name="Ann", age=300),
    change("update", 1, 9, name="Anna", age=31),
    change("insert", 2, 2, name="Bob", age=400),
    change("insert", 3, 3, name="Cid", age="old"),
    Sent(0, 5, "{"),
]


def request(kind: str, number: int = 1, **values: Any) -> Request:
    return Request(
        id=f"r{number}",
        kind=kind,
        table=TABLE,
        requested_by="op",
        requested_at=at(100 + number),
        reason="rule was too strict",
        **values,
    )


def ask(lake: SmallLake, kind: str, number: int = 1, **values: Any) -> Answer:
    return answer(lake.job(rebuilds=kind == "rebuild"), request(kind, number, **values))


@pytest.fixture(scope="module")
def refused(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SmallLake:
    """Take messages of which four are refused; each test goes on from a copy."""
    lake = SmallLake(spark, tmp_path_factory.mktemp("refused"))
    lake.take(0, MESSAGES)
    return lake


@pytest.fixture
def lake(refused: SmallLake, tmp_path: Path) -> SmallLake:
    shutil.copytree(refused.folder, tmp_path, dirs_exist_ok=True)
    return replace(refused, folder=tmp_path)


def statuses(lake: SmallLake) -> Mapping[int, tuple[str, int]]:
    return {row["_offset"]: (row["_status"], row["_attempts"]) for row in lake.quarantine()}


def test_a_release_stands_where_its_message_stood(lake: SmallLake) -> None:
    assert set(statuses(lake).values()) == {("open", 0)}
    lenient = lake.under(LENIENT)
    versions = lake.versions()
    foreseen = ask(lenient, "replay", dry_run=True)
    assert foreseen.counts == {"tried": 4, "tired": 0, "quarantined": 2}
    assert foreseen.still_failing == {"BAD_JSON": 1, "BAD_TYPE:age": 1}
    assert {k: v for k, v in lake.versions().items() if k in versions} == versions
    done = ask(lenient, "replay")
    assert done.counts == {"tried": 4, "tired": 0, "applied": 2, "quarantined": 2}
    assert done.still_failing == {"BAD_JSON": 1, "BAD_TYPE": 1}
    assert lake.timeline() == [
        (1, "ann", 30, 1, 5),
        (1, "ann", 300, 5, 9),
        (1, "anna", 31, 9, None),
        (2, "bob", 400, 2, None),
    ]
    assert statuses(lake) == {
        1: ("released", 1),
        3: ("released", 1),
        4: ("open", 1),
        5: ("open", 1),
    }
    row = lake.quarantine()[0]
    assert (row["_status_by"], row["_status_reason"]) == ("op", "rule was too strict")
    assert row["_request_id"] == "r1"
    assert row["_failed_rule"] == "age_range"

    versions = lake.versions()
    assert ask(lenient, "replay").counts["applied"] == 2
    assert lake.versions() == versions
    # What was released and comes again under its old offset is known.
    assert lenient.take(7, [Sent(0, 1, MESSAGES[1].value)]).outcomes["duplicate"] == 1


def test_a_patch_replaces_a_field_before_it_is_read(lake: SmallLake) -> None:
    elsewhere = Selection(coordinates=((0, 4, "another"),))
    assert ask(lake, "replay", 9, selection=elsewhere).counts["tried"] == 0
    chosen = Selection(coordinates=((0, 4, TOPIC), (0, 3)))
    done = ask(lake, "replay", selection=chosen, patch={"age": None})
    assert done.counts == {"tried": 2, "tired": 0, "applied": 2}
    assert (3, "cid", None, 3, None) in lake.timeline()
    patched = ask(lake, "replay", 2, selection=Selection(rule="age_range"), patch={"age": "33"})
    assert patched.counts["tried"] == 1
    assert (1, "ann", 33, 5, 9) in lake.timeline()
    with pytest.raises(JobError, match="has no column `agee`"):
        ask(lake, "replay", 3, patch={"agee": None})


@pytest.mark.slow
def test_a_row_that_failed_three_times_is_left_out(lake: SmallLake) -> None:
    for number in range(1, 4):
        assert ask(lake, "replay", number).counts["tried"] == 4
    tired = ask(lake, "replay", 4)
    assert tired.counts == {"tried": 0, "tired": 4}
    named = Selection(coordinates=((0, 3),))
    assert ask(lake.under(LENIENT), "replay", 5, selection=named).counts["applied"] == 1


def test_a_discarded_row_is_not_replayed(lake: SmallLake) -> None:
    done = ask(lake, "discard", selection=Selection(rule="BAD_JSON"))
    assert done.counts == {"discarded": 1}
    assert statuses(lake)[5] == ("discarded", 0)
    assert ask(lake, "discard", 2, selection=Selection(rule="BAD_JSON")).counts == {"discarded": 0}
    assert ask(lake.under(LENIENT), "replay", 3).counts["tried"] == 3


@pytest.mark.parametrize(
    "point",
    [
        pytest.param("after-record", marks=pytest.mark.slow),
        "after-quarantine",
        pytest.param("after-ledger", marks=pytest.mark.slow),
    ],
)
def test_a_release_that_failed_is_finished(
    lake: SmallLake, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lenient = lake.under(LENIENT)
    monkeypatch.setenv("CDCCTL_TEST_HOOKS", "1")
    monkeypatch.setattr(failpoints, "_reached", {})
    monkeypatch.setenv("CDCCTL_FAILPOINT", f"{point}:raise")
    with pytest.raises(failpoints.FailpointReached):
        ask(lenient, "replay")
    monkeypatch.delenv("CDCCTL_FAILPOINT")
    assert ask(lenient, "replay").counts["applied"] == 2
    assert (1, "ann", 300, 5, 9) in lake.timeline()
    assert sorted(statuses(lake).values()) == [("open", 1)] * 2 + [("released", 1)] * 2


def test_a_masked_quarantine_cannot_be_replayed(lake: SmallLake) -> None:
    masked = lake.under(
        CONFIG.replace("primary_key: id", "primary_key: id\n    quarantine: masked")
    )
    with pytest.raises(JobError, match="cannot be replayed"):
        ask(masked, "replay")


def test_a_rebuild_mends_history_and_is_silent_when_it_is_right(lake: SmallLake) -> None:
    lake.take(1, [change("delete", 1, 12), change("insert", 4, 13, name="Dan", age=1)])
    right, versions = lake.timeline(), lake.versions()
    assert ask(lake, "rebuild").counts == {"inserted": 0, "updated": 0, "deleted": 0}
    assert lake.versions() == versions
    history = DeltaTable(lake.paths.history(TABLE))
    history.delete("id = 1 AND age = 30")
    history.update({"age": "99"}, predicate="id = 4")
    assert lake.timeline() != right
    foreseen = ask(lake, "rebuild", 2, dry_run=True)
    assert foreseen.counts == {"inserted": 1, "updated": 1, "deleted": 0}
    assert ask(lake, "rebuild", 3).counts == foreseen.counts
    assert lake.timeline() == right


@pytest.mark.slow
def test_a_rebuild_takes_the_new_config(lake: SmallLake) -> None:
    tracked = lake.under(
        CONFIG.replace("primary_key: id", "primary_key: id\n    history: {ignore_columns: [age]}")
    )
    lake.take(1, [change("update", 1, 12, name="Anna", age=77)])
    assert len([row for row in lake.timeline() if row[0] == 1]) == 3
    ask(tracked, "rebuild")
    assert [row for row in lake.timeline() if row[0] == 1] == [
        (1, "ann", 30, 1, 9),
        (1, "anna", 77, 9, None),
    ]
    loud = CONFIG.replace(
        "order: 1}", "order: 1}\n      - {id: up, type: upper, column: name, order: 2}"
    )
    ask(lake.under(loud), "rebuild", 2)
    assert {row[1] for row in lake.timeline()} == {"ANN", "ANNA"}
