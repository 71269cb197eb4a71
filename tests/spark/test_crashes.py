"""The job fails at every point of a batch; taken again, the lake is that of one clean run."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from glue_job import failpoints
from glue_job.consent import Consent
from glue_job.errors import JobError
from tests.spark.engine import read_delta
from tests.spark.small_lake import CONFIG, TABLE, Sent, SmallLake, at, change

pytestmark = pytest.mark.spark

OFTEN = ("before-record", "after-ledger", "batch-end")
"""Tried on every run; `test_kills` dies at others, and the rest is slow to go through."""
POINTS = [
    pytest.param(point, marks=() if point in OFTEN else pytest.mark.slow)
    for point in failpoints.POINTS
    if not point.endswith("-file")
]
FIRST = [
    change("insert", 1, 1, name="Ann", age=30),
    change("insert", 2, 2, name="Bob", age=400),
    change("insert", 3, 3, name="Cid", age=50),
    None,
]
SECOND = [
    change("update", 1, 5, name="Anna", age=31),
    # late, redelivered, refused, deleted, twice in a transaction
    change("update", 1, 2, name="Annie", age=30),
    change("insert", 3, 3, name="Cid", age=50),
    change("update", 3, 6, name="Cid", age=-1),
    change("delete", 3, 8),
    change("update", 1, 7, record_id=1, name="Anna", age=32),
    change("update", 1, 7, record_id=2, name="Anna", age=33),
]


@pytest.fixture(scope="module")
def clean(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SmallLake:
    """Take both batches without a fault."""
    lake = SmallLake(spark, tmp_path_factory.mktemp("clean"))
    lake.take(0, FIRST)
    lake.take(1, SECOND)
    return lake


@pytest.fixture(autouse=True)
def hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDCCTL_TEST_HOOKS", "1")
    monkeypatch.setattr(failpoints, "_reached", {})


@pytest.fixture(scope="module")
def begun(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SmallLake:
    """Take the first batch once; each test goes on from a copy."""
    lake = SmallLake(spark, tmp_path_factory.mktemp("begun"))
    lake.take(0, FIRST)
    return lake


def copy_of(lake: SmallLake, folder: Path) -> SmallLake:
    shutil.copytree(lake.folder, folder, dirs_exist_ok=True)
    return SmallLake(lake.spark, folder, lake.config)


def test_tables_that_were_not_all_made_are_made(spark: SparkSession, tmp_path: Path) -> None:
    lake = SmallLake(spark, tmp_path)
    lake.job()
    for path in (lake.paths.changes(TABLE), lake.paths.quarantine(TABLE)):
        shutil.rmtree(path)
    lake.take(0, FIRST)
    assert [row[0] for row in lake.timeline()] == [1, 3]


def test_a_ledger_that_is_gone_is_named(begun: SmallLake, tmp_path: Path) -> None:
    lake = copy_of(begun, tmp_path)
    before = lake.timeline()
    shutil.rmtree(lake.paths.changes(TABLE))
    with pytest.raises(JobError, match="the change ledger of `people` is gone") as refused:
        lake.take(1, SECOND)
    assert refused.value.code == "LAK013"
    assert lake.timeline() == before
    assert not Path(lake.paths.changes(TABLE)).exists()


def test_the_clean_run_is_right(clean: SmallLake) -> None:
    assert clean.timeline() == [
        (1, "ann", 30, 1, 2),
        (1, "annie", 30, 2, 5),
        (1, "anna", 31, 5, 7),
        (1, "anna", 33, 7, None),
        (3, "cid", 50, 3, 8),
    ]
    assert [row["_failed_rule"] for row in clean.quarantine()] == ["age_range", "age_range"]


@pytest.mark.parametrize("point", POINTS)
def test_a_batch_that_failed_anywhere_is_finished(
    point: str,
    clean: SmallLake,
    begun: SmallLake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake = copy_of(begun, tmp_path)
    monkeypatch.setenv("CDCCTL_FAILPOINT", f"{point}:raise")
    with pytest.raises(failpoints.FailpointReached):
        lake.take(1, SECOND)
    monkeypatch.delenv("CDCCTL_FAILPOINT")
    lake.take(1, SECOND)
    assert lake.content() == clean.content()
    versions = lake.versions()
    lake.take(1, SECOND)
    assert lake.versions() == versions


def test_a_begun_batch_keeps_its_config_and_the_next_takes_the_new_one(
    begun: SmallLake, clean: SmallLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = copy_of(begun, tmp_path)
    monkeypatch.setenv("CDCCTL_FAILPOINT", "after-record:raise")
    with pytest.raises(failpoints.FailpointReached):
        lake.take(1, SECOND)
    monkeypatch.delenv("CDCCTL_FAILPOINT")
    changed = lake.under(
        CONFIG.replace("max: 120", "max: 10").replace("type: lower", "type: upper")
    )
    changed.take(1, SECOND)
    assert lake.content() == clean.content()
    changed.take(2, [change("insert", 7, 20, name="Gil", age=11)])
    changed.take(3, [change("insert", 8, 21, name="Hal", age=9)])
    assert changed.timeline()[-1] == (8, "HAL", 9, 21, None)
    assert changed.quarantine()[-1]["id"] == 7


@pytest.mark.slow
def test_a_batch_that_was_not_begun_takes_the_new_config(
    begun: SmallLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = copy_of(begun, tmp_path)
    monkeypatch.setenv("CDCCTL_FAILPOINT", "before-record:raise")
    with pytest.raises(failpoints.FailpointReached):
        lake.take(1, SECOND)
    monkeypatch.delenv("CDCCTL_FAILPOINT")
    changed = lake.under(CONFIG.replace("type: lower", "type: upper"))
    changed.take(1, SECOND)
    assert changed.timeline()[3] == (1, "ANNA", 33, 7, None)


def test_a_begun_batch_whose_config_is_gone_says_so(
    begun: SmallLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = copy_of(begun, tmp_path)
    monkeypatch.setenv("CDCCTL_FAILPOINT", "after-record:raise")
    with pytest.raises(failpoints.FailpointReached):
        lake.take(1, SECOND)
    monkeypatch.delenv("CDCCTL_FAILPOINT")
    (kept,) = (tmp_path / "delta" / "_configs").glob("*.yaml")
    kept.unlink()
    with pytest.raises(JobError) as refused:
        lake.under(CONFIG.replace("type: lower", "type: upper")).take(1, SECOND)
    assert refused.value.code == "LAK030"


@pytest.mark.parametrize(
    "point", [pytest.param("after-record", marks=pytest.mark.slow), "after-ledger"]
)
def test_a_begun_batch_that_cannot_be_finished_is_taken_again_when_asked(
    begun: SmallLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    lake = copy_of(begun, tmp_path)
    monkeypatch.setenv("CDCCTL_FAILPOINT", f"{point}:raise")
    with pytest.raises(failpoints.FailpointReached):
        lake.take(1, SECOND)
    monkeypatch.delenv("CDCCTL_FAILPOINT")
    (kept,) = (tmp_path / "delta" / "_configs").glob("*.yaml")
    kept.unlink()
    loud = lake.under(CONFIG.replace("type: lower", "type: upper"))
    again = replace(loud, consent=Consent(retake=(TABLE,))).take(1, SECOND)
    assert again.batch.application_id.endswith("/again")
    name = "anna" if point == "after-ledger" else "ANNA"
    assert lake.timeline()[-2][1:] == (name, 33, 7, None)
    # From then on it is a batch like any other, and the dead record counts for nothing.
    versions = lake.versions()
    assert loud.take(1, SECOND).outcomes == again.outcomes
    assert lake.versions() == versions
    loud.take(2, [change("insert", 9, 30, name="Ivy", age=9)])
    consumed = [row["consumed"] for row in read_delta(lake.paths.batches)]
    assert sorted(consumed) == [0, 1, len(FIRST), len(SECOND)]


def test_an_unknown_failpoint_is_an_error(
    begun: SmallLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDCCTL_FAILPOINT", "nowhere:kill")
    with pytest.raises(JobError, match="names no failpoint"):
        copy_of(begun, tmp_path).take(1, SECOND)


def test_a_closed_version_is_bisected_by_an_old_message(begun: SmallLake, tmp_path: Path) -> None:
    lake = copy_of(begun, tmp_path)
    lake.take(1, [change("update", 1, 9, name="Z", age=1)])
    lake.take(2, [change("update", 1, 4, name="Y", age=2), Sent(1, 7, "{")])
    assert [row[1:] for row in lake.timeline() if row[0] == 1] == [
        ("ann", 30, 1, 4),
        ("y", 2, 4, 9),
        ("z", 1, 9, None),
    ]
    assert at(4) == lake.history()[0]["_effective_to"]
