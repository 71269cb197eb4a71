"""Counts and times of one batch: Spark jobs, files and rows by Delta table, seconds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Cost:
    """What one action took."""

    seconds: float
    jobs: int
    added: dict[str, list[dict[str, Any]]]
    """Delta's `add` actions by table folder."""
    removed: dict[str, list[dict[str, Any]]]

    def files_added(self, table: str) -> int:
        """Count the data files that a table gained."""
        return len(self.added.get(table, []))

    def rows_added(self, table: str) -> int:
        """Count the rows in the files that a table gained."""
        return sum(json.loads(add["stats"])["numRecords"] for add in self.added.get(table, []))

    def closed_files_removed(self, table: str) -> int:
        """Count the files of closed history that were rewritten."""
        return sum(
            remove.get("partitionValues", {}).get("_is_current") == "false"
            for remove in self.removed.get(table, [])
        )


def measure(spark: SparkSession, lake: Path, action: Callable[[], object]) -> Cost:
    """Run an action and say what it cost."""
    before = _versions(lake)
    group = f"cost-{time.monotonic_ns()}"
    spark.sparkContext.setJobGroup(group, "benchmark")
    started = time.monotonic()
    action()
    seconds = time.monotonic() - started
    jobs = len(spark.sparkContext.statusTracker().getJobIdsForGroup(group))
    added: dict[str, list[dict[str, Any]]] = {}
    removed: dict[str, list[dict[str, Any]]] = {}
    for table, version in _versions(lake).items():
        for number in range(before.get(table, -1) + 1, version + 1):
            log = lake / table / "_delta_log" / f"{number:020d}.json"
            entries = list(map(json.loads, log.read_text(encoding="utf-8").splitlines()))
            marked = {
                entry["add"]["path"]
                for entry in entries
                if "add" in entry and entry["add"].get("deletionVector")
            }
            for entry in entries:
                # A file that gets a deletion vector is named again; nothing of it is written.
                if "add" in entry and not entry["add"].get("deletionVector"):
                    added.setdefault(table, []).append(entry["add"])
                if "remove" in entry and entry["remove"]["path"] not in marked:
                    removed.setdefault(table, []).append(entry["remove"])
    return Cost(seconds, jobs, added, removed)


def _versions(lake: Path) -> dict[str, int]:
    return {
        str(log.parent.relative_to(lake)): max(int(file.stem) for file in log.glob("*.json"))
        for log in lake.rglob("_delta_log")
        if any(log.glob("*.json"))
    }
