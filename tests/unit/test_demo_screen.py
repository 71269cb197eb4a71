"""The last screen of `cdcctl demo`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cdcctl.local.fleet import FleetCounts
from cdcctl.operations.demo import DemoReport, TableProof
from cdcctl.ui import demo as view
from tests.readme_blocks import hold_to_readme
from tests.unit.documents import hold_to_schema

TABLES = (
    TableProof("vehicles", 15, 12, 31, {"veh_002": 6, "veh_004": 4, "veh_003": 4}, 6, 0, 12, 3),
    TableProof("drivers", 12, 12, 49, {"drv_004": 1, "drv_002": 1}, 5, 0, 12, 0),
    TableProof(
        "vehicle_telemetry",
        1963,
        1899,
        1938,
        {"tel_006": 22, "tel_003": 19, "tel_004": 16, "tel_001": 14},
        10,
        0,
        1892,
        71,
    ),
    TableProof("deliveries", 100, 97, 144, {"del_002": 4, "del_001": 2}, 5, 0, 95, 5),
    TableProof("alerts", 27, 25, 63, {"alt_004": 3, "alt_001": 2, "alt_003": 2}, 6, 0, 25, 2),
)


@pytest.fixture
def report() -> DemoReport:
    folder = Path.cwd() / ".cdcctl/demo"
    config = Path("config/tables.yaml")
    return DemoReport(TABLES, FleetCounts(), 2463, 65.0, folder / "lake", folder / "logs", config)


@pytest.fixture(autouse=True)
def width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")


def test_a_demo_ends_as_the_readme_says(
    report: DemoReport, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_: str) -> str:
        view.show_demo(report)
        return capsys.readouterr().out

    hold_to_readme("demo", run)


def test_what_the_lake_has_wrong_is_shown(
    report: DemoReport, capsys: pytest.CaptureFixture[str]
) -> None:
    faults = tuple(f"row {number} is not in the lake" for number in range(7))
    view.show_demo(replace(report, tables=(replace(TABLES[0], faults=faults), *TABLES[1:])))
    screen = capsys.readouterr().out
    assert "✖ the lake is not what the source says" in screen
    assert "vehicles: row 4 is not in the lake\nvehicles: and 2 more\n" in screen
    assert "✔ source = lake" not in screen


def test_machines_get_the_proof(report: DemoReport) -> None:
    document = view.demo_document(report)
    hold_to_schema(document, "demo/v1")
