"""Runs the job through `cdcctl local run` and reads what it wrote, without the job's code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltalake import DeltaTable, QueryBuilder

from glue_job.contract.lake import LakePaths
from tests.oracle.fold import Coordinate

RUN_TIMEOUT_SECONDS = 900

Row = dict[str, Any]


@dataclass(frozen=True)
class AppliedBatch:
    """What `local run` says of one table's batch."""

    file: str
    table: str
    batch_id: int
    consumed: int
    outcomes: Mapping[str, int]


@dataclass(frozen=True)
class RefusedRow:
    """One row of a quarantine table."""

    reasons: tuple[str, ...]
    columns: tuple[str | None, ...]
    raw_value: str
    topic: str


@dataclass(frozen=True)
class Workspace:
    """A config, a folder of batch files and a lake."""

    folder: Path
    config: Path

    @property
    def messages(self) -> Path:
        """Hold the batch files."""
        return self.folder / "messages"

    @property
    def lake(self) -> Path:
        """Hold the lake."""
        return self.folder / "lake"

    @property
    def paths(self) -> LakePaths:
        """Name the lake's tables."""
        return LakePaths.below(str(self.lake))

    def add_file(self, name: str, lines: Iterable[Mapping[str, Any]]) -> None:
        """Write one more batch file."""
        self.messages.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (self.messages / name).write_text(text, encoding="utf-8")

    def run(self) -> list[AppliedBatch]:
        """Let the job take the files it has not taken yet."""
        command = [sys.executable, "-m", "cdcctl", "local", "run", "-o", "json"]
        command += ["--config", str(self.config), "--messages", str(self.messages)]
        command += ["--lake", str(self.lake)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=RUN_TIMEOUT_SECONDS
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr[-8000:]}"
        return [AppliedBatch(**batch) for batch in json.loads(done.stdout)["data"]["batches"]]

    def history(self, table: str) -> list[Row]:
        """Read the history of a table; none when nothing was applied."""
        return read_delta(self.paths.history(table))

    def quarantine(self, table: str) -> dict[Coordinate, list[RefusedRow]]:
        """Read the refused rows of a table by coordinate."""
        refused: dict[Coordinate, list[RefusedRow]] = {}
        for row in read_delta(self.paths.quarantine(table)):
            failed = row["_failed_rules"]
            found = RefusedRow(
                tuple(each["id"] for each in failed),
                tuple(each["column"] for each in failed),
                row["_raw_value"],
                row["_topic"],
            )
            assert found.reasons[0] == row["_failed_rule"], row
            refused.setdefault((row["_partition"], row["_offset"]), []).append(found)
        return refused

    def delta_versions(self) -> dict[str, int]:
        """Give the version of every Delta table below the lake."""
        logs = sorted(self.lake.rglob("_delta_log"))
        return {
            str(log.parent.relative_to(self.lake)): DeltaTable(str(log.parent)).version()
            for log in logs
        }


def read_delta(path: str) -> list[Row]:
    """Read a whole Delta table; a table that is not there has no rows."""
    if not (Path(path) / "_delta_log").is_dir():
        return []
    answer = QueryBuilder().register("rows", DeltaTable(path)).execute("select * from rows")
    return list(answer.read_all().to_struct_array().to_pylist())
