"""What README.md says that the data commands print is what they print."""

from __future__ import annotations

import json
import shlex
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cdcctl import app
from glue_job.contract.loader import load
from tests.readme_blocks import hold_to_readme
from tests.unit import lake_builder as build

CONFIG = Path(__file__).parents[2] / "config"
NOW = datetime.now(UTC)


def ago(**span: float) -> str:
    return (NOW - timedelta(**span)).isoformat()


def message(table: str, operation: str, values: dict[str, Any]) -> str:
    metadata = {
        "timestamp": ago(minutes=9),
        "operation": operation,
        "schema-name": "public",
        "table-name": table,
    }
    return json.dumps({"data": values, "metadata": metadata})


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder with the fleet's config, a faulty copy of it, and a lake."""
    shutil.copytree(CONFIG, tmp_path / "config")
    text = (CONFIG / "tables.yaml").read_text(encoding="utf-8")
    faulty = text.replace("type: range, column: latitude", "type: range, column: lattitude", 1)
    assert faulty != text
    (tmp_path / "faulty.yaml").write_text(faulty, encoding="utf-8")
    write_lake(tmp_path / "lake")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TZ", "UTC")
    return tmp_path


def write_lake(lake: Path) -> None:
    text = (CONFIG / "tables.yaml").read_text(encoding="utf-8")
    pipeline = load(text, "tables.yaml").pipeline
    assert pipeline is not None
    columns = {
        table.name: {column.name: column.type.spark_ddl for column in table.schema}
        for table in pipeline.streamed_tables
    }
    car = {"id": 13, "vin": "JYH1ERFU0VH6UGCVA", "license_plate": "FL-1013", "make": "Scania"}
    loaded, changed, wrong = ago(hours=5), ago(hours=2), ago(minutes=9)
    build.write_history(
        lake,
        "vehicles",
        columns["vehicles"],
        [
            build.version(loaded, changed, **car, year=2021, status="active"),
            build.version(changed, None, **car, year=2021, status="maintenance"),
        ],
    )
    build.write_changes(
        lake,
        "vehicles",
        {"id": "int"},
        columns["vehicles"],
        [
            build.entry(3, "load", loaded, **car, year=2021, status="active"),
            build.entry(18, "update", changed, **car, year=2021, status="maintenance", _batch_id=4),
        ],
    )
    too_old = build.failure("veh_003", "range", "year", {"min": 1980, "max": 2035}, "1899")
    raw = message("vehicles", "update", {**car, "year": 1899, "status": "active"})
    build.write_quarantine(
        lake,
        [
            build.refused(26, wrong, [too_old], raw, **car, year=1899, status="active")
            | {"_operation": "update"}
        ],
        "vehicles",
        columns["vehicles"],
    )
    fast = build.failure("tel_003", "range", "speed_kmh", {"min": 0, "max": 350}, "400.0")
    full = build.failure("tel_004", "range", "fuel_level_pct", {"min": 0, "max": 100}, "130.0")
    readings = [(1742, [full], 1874), (1743, [fast], 1875), (1744, [fast, full], 1876)]
    build.write_quarantine(
        lake,
        [
            build.refused(
                offset,
                ago(minutes=10 - position),
                failures,
                message("vehicle_telemetry", "insert", {"id": key, "speed_kmh": 400.0}),
                id=key,
                vehicle_id=8,
                speed_kmh=400.0,
            )
            | {"_topic": "cdc-vehicle_telemetry"}
            for position, (offset, failures, key) in enumerate(readings)
        ],
        "vehicle_telemetry",
        columns["vehicle_telemetry"],
    )
    build.write_metrics(
        lake,
        [
            build.measurement(
                number,
                metric,
                value,
                table_name="vehicle_telemetry",
                column_name=column,
                threshold=limit,
                passed=value >= limit,
                timestamp=ago(minutes=30 - number),
            )
            for metric, column, limit, values in (
                ("completeness", "vehicle_id", 0.95, (0.99, 0.98, 1.0, 0.97, 0.91, 0.93)),
                ("size", None, 1.0, (120.0, 84.0, 200.0, 90.0, 96.0, 130.0)),
            )
            for number, value in enumerate(values)
        ],
    )
    build.write_batches(
        lake,
        [
            build.batch("vehicles", 5, processed_at=wrong, consumed=45, applied=31, unchanged=13)
            | {"quarantined": 1},
            build.batch("vehicle_telemetry", 5, processed_at=wrong, consumed=720, applied=717)
            | {"quarantined": 3},
        ],
    )


def test_the_data_commands_print_what_the_readme_says(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(line: str) -> str:
        app.run(shlex.split(line))
        printed = capsys.readouterr()
        return printed.out or printed.err

    hold_to_readme("lake", run)
