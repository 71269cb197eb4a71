"""reload --close-missing refuses what cannot be meant, and its request says the load."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cdcctl import app
from glue_job.requests import Load, Request
from tests.unit import lake_builder as build


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    folder = tmp_path / "lake"
    fast = build.failure("veh_001", "range", "speed_kmh", {"min": 0, "max": 350}, "400.1")
    build.write_quarantine(folder, [build.refused(10, "2026-11-22T10:00:00Z", [fast], "{}", id=7)])
    (tmp_path / "tables.yaml").write_text(build.CONFIG)
    return folder


def run(lake: Path, line: str) -> int:
    return app.run(
        [*line.split(), "--lake", str(lake), "-c", str(lake.parent / "tables.yaml"), "--no-input"]
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "USE014"),
        ("--close-missing", "USE014"),
        ("--close-missing --load-began 2h", "USE013"),
        ("--load-began 2h --load-rows 3", "USE013"),
        ("--close-missing --load-began noon --load-rows 3", "noon"),
        ("--close-missing --load-began 2h --load-rows 3 --max-share 2", "--max-share"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    lake: Path, capsys: pytest.CaptureFixture[str], options: str, said: str
) -> None:
    assert run(lake, f"reload vehicles {options}") == 2
    assert said in capsys.readouterr().err
    assert not (lake / "requests").exists()


def test_a_request_is_read_as_it_was_written() -> None:
    began = datetime(2026, 11, 22, 9, tzinfo=UTC)
    asked = Request("r1", "close", "vehicles", "op", began, load=Load(began, 3, 0.5))
    assert Request.from_json(asked.as_json(), "r1.json") == asked
    before = {name: held for name, held in json.loads(asked.as_json()).items() if name != "load"}
    assert Request.from_json(json.dumps(before), "r1.json").load is None
