"""Rows of large files are marked, not copied: same history, less written, and back again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from glue_job.edge import replace as edge
from tests.oracle.dms import Record
from tests.spark.small_lake import TABLE, SmallLake, change, keeping

pytestmark = pytest.mark.spark

KEYS = range(1, 31)


FIRST = [change("insert", key, key, name="ann", age=30) for key in KEYS]
BATCHES: tuple[Sequence[Record], ...] = (
    [
        change("update", 1, 100, name="bea", age=31),
        change("update", 1, 101, name="cy", age=31),
        change("delete", 2, 100),
        change("insert", 40, 100, name="dee", age=20),
    ],
    # the same file again; a key that the first batch brought; a key that was deleted
    [
        change("update", 1, 110, name="eve", age=32),
        change("update", 40, 110, name="dee", age=21),
        change("insert", 2, 110, name="ann", age=30),
        change("update", 3, 110, name="fay", age=30),
    ],
    # into closed history: between two versions, and before the first
    [change("update", 1, 100.5, name="gus", age=31), change("update", 3, 1, name="old", age=29)],
    # most of the first file
    [change("update", key, 120, name="ivy", age=33) for key in KEYS],
)


def log(lake: SmallLake) -> list[dict[str, Any]]:
    files = sorted(Path(lake.paths.history(TABLE)).glob("_delta_log/*.json"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def vectors(lake: SmallLake) -> list[dict[str, Any]]:
    """Give the `add` actions of the newest version that come with a deletion vector."""
    newest = max(Path(lake.paths.history(TABLE)).glob("_delta_log/*.json"))
    actions = map(json.loads, newest.read_text().splitlines())
    adds = [action["add"] for action in actions if "add" in action]
    return [add for add in adds if add.get("deletionVector")]


@pytest.fixture(scope="module")
def begun(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> SmallLake:
    lake = SmallLake(spark, tmp_path_factory.mktemp("begun"))
    lake.take(0, FIRST)
    return lake


def beside(begun: SmallLake, folder: Path, choice: str) -> SmallLake:
    shutil.copytree(begun.folder, folder, dirs_exist_ok=True)
    return replace(begun, folder=folder, config=keeping(choice))


def test_history_is_the_same_with_and_without(begun: SmallLake, tmp_path: Path) -> None:
    marked = beside(begun, tmp_path / "marked", "always")
    copied = beside(begun, tmp_path / "copied", "never")
    seen = []
    for number, batch in enumerate(BATCHES, start=1):
        told = [lake.take(number, batch) for lake in (marked, copied)]
        assert told[0].outcomes == told[1].outcomes
        assert marked.timeline() == copied.timeline()
        changed = [lake.job().lake.versions_changed(told[0].batch) for lake in (marked, copied)]
        assert changed[0] == changed[1]
        seen.append(len(vectors(marked)))
    # The third batch marks closed history; the last leaves too little of the first file.
    assert seen[0] == 1
    assert seen[2] == 1
    first = next(action["add"]["path"] for action in log(marked) if "add" in action)
    held = marked.spark.read.format("delta").load(marked.paths.history(TABLE)).inputFiles()
    assert first.rsplit("/", 1)[-1] not in {file.rsplit("/", 1)[-1] for file in held}


def test_only_new_rows_are_written(begun: SmallLake, tmp_path: Path) -> None:
    lake = beside(begun, tmp_path, "always")
    before = {action["add"]["path"] for action in log(lake) if "add" in action}
    lake.take(1, BATCHES[0])
    adds = [action["add"] for action in log(lake) if "add" in action]
    new = [json.loads(add["stats"])["numRecords"] for add in adds if add["path"] not in before]
    # two closed versions and two opened for key 1 and 2's end, one for key 40
    assert sum(new) == 5
    protocol = next(action["protocol"] for action in log(lake)[::-1] if "protocol" in action)
    assert (protocol["minReaderVersion"], protocol["minWriterVersion"]) == (3, 7)
    assert protocol["readerFeatures"] == ["deletionVectors"]


def test_small_files_are_copied_and_the_protocol_stays(begun: SmallLake, tmp_path: Path) -> None:
    lake = beside(begun, tmp_path, "auto")
    lake.take(1, BATCHES[0])
    assert not vectors(lake)
    assert {
        action["protocol"]["minReaderVersion"] for action in log(lake) if "protocol" in action
    } == {1}


def test_a_table_that_marks_no_more_copies_what_it_touches(
    begun: SmallLake, tmp_path: Path
) -> None:
    lake = beside(begun, tmp_path / "a", "always")
    other = beside(begun, tmp_path / "b", "never")
    for each in (lake, other):
        each.take(1, BATCHES[0])
    assert vectors(lake)
    plain = lake.under(keeping("never"))
    for each in (plain, other):
        each.take(2, BATCHES[1])
    assert plain.timeline() == other.timeline()
    assert not vectors(plain)


def files_of_current_rows(lake: SmallLake) -> int:
    held = lake.spark.read.format("delta").load(lake.paths.history(TABLE))
    return len(held.filter("_is_current").inputFiles())


@pytest.mark.parametrize("choice", ["auto", "always"])
def test_many_small_files_become_one(
    begun: SmallLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, choice: str
) -> None:
    monkeypatch.setattr(edge, "_MOST_SMALL_FILES", 2)
    lake = beside(begun, tmp_path, choice)
    counts = []
    for number in range(1, 5):
        lake.take(number, [change("insert", 100 + number, 200 + number, name="new", age=1)])
        counts.append(files_of_current_rows(lake))
    assert max(counts) == 3
    assert min(counts) == counts[2] == 1
    lake.take(5, [change("update", 104, 300, name="zoe", age=40)])
    assert len(lake.timeline()) == len(KEYS) + 4 + 1
