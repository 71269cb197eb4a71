"""What README.md says that `local run` and the repairs of a lake print is what they print."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from cdcctl import app
from cdcctl.local import job, repairs
from tests.oracle.dms import Record, line
from tests.readme_blocks import hold_to_readme
from tests.spark.engine import Workspace

pytestmark = pytest.mark.spark

CONFIG = Path(__file__).parents[2] / "config"
START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
CAR = {"vin": "JYH1ERFU0VH6UGCVA", "license_plate": "FL-1013", "make": "Scania"}
ROWS: tuple[dict[str, Any], ...] = (
    {"id": 1, **CAR, "year": 2021, "fuel_type": "diesel", "status": "active"},
    {"id": 2, **CAR, "year": 1899, "fuel_type": "diesel", "status": "active"},
    {"id": 3, **CAR, "year": 2020, "fuel_type": "coal", "status": "active"},
)


class Kept:
    """The session of the tests, which no command ends."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark

    def __getattr__(self, name: str) -> Any:
        return getattr(self._spark, name)

    def stop(self) -> None:
        """Go on."""


def messages() -> Iterator[dict[str, Any]]:
    for number, row in enumerate(ROWS):
        record = Record(
            operation="insert",
            table="vehicles",
            data=row,
            emission=START + timedelta(minutes=number, seconds=1),
            commit=START + timedelta(minutes=number),
            lsn=0x1000 + number,
            record_id=1,
        )
        yield line("cdc-vehicles", 0, number, int(START.timestamp() * 1000), record.value)


def test_the_repairs_print_what_the_readme_says(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for module in (job, repairs):
        monkeypatch.setattr(module, "start_spark", lambda *_: Kept(spark))
    shutil.copytree(CONFIG, tmp_path / "config")
    Workspace(tmp_path, tmp_path / "config" / "tables.yaml").add_file("0001.jsonl", messages())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TZ", "UTC")

    def run(command: str) -> str:
        app.run(shlex.split(command))
        printed = capsys.readouterr()
        return printed.out or printed.err

    hold_to_readme("repairs", run)
