"""replay, discard and rebuild refuse what cannot be meant before any Java is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cdcctl import app
from tests.unit import lake_builder as build


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repairs") / "lake"
    fast = build.failure("veh_001", "range", "speed_kmh", {"min": 0, "max": 350}, "400.1")
    build.write_quarantine(folder, [build.refused(10, "2026-11-22T10:00:00Z", [fast], "{}", id=7)])
    (folder.parent / "tables.yaml").write_text(build.CONFIG)
    return folder


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("quarantine replay ships", 2, "`ships`"),
        ("quarantine replay vehicles --id 17", 2, "PARTITION:OFFSET"),
        ("quarantine replay vehicles --id a:b", 2, "USE004"),
        ("quarantine replay vehicles --patch speed_kmh", 2, "COLUMN=VALUE"),
        ("quarantine replay vehicles --patch =3", 2, "USE012"),
        ("quarantine replay vehicles --patch speed_kmh=[1]", 2, "the value is a scalar"),
        ("quarantine replay vehicles --max 0", 2, "--max"),
        ("quarantine replay vehicles --since yesterday", 2, "yesterday"),
        ("quarantine discard vehicles", 2, "--reason"),
        ("quarantine discard vehicles --reason test", 10, "--yes"),
        ("history rebuild vehicles", 10, "--yes"),
        ("history rebuild ships --yes", 2, "`ships`"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    lake: Path, capsys: pytest.CaptureFixture[str], line: str, code: int, said: str
) -> None:
    found = app.run(
        [*line.split(), "--lake", str(lake), "-c", str(lake.parent / "tables.yaml"), "--no-input"]
    )
    errors = capsys.readouterr().err
    assert (found, said in errors) == (code, True), errors
    assert not (lake / "requests").exists()


@pytest.mark.parametrize(
    "command", ["quarantine replay vehicles", "history rebuild vehicles --yes"]
)
def test_a_lake_that_is_not_there(
    lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    config = str(lake.parent / "tables.yaml")
    assert app.run([*command.split(), "--lake", str(tmp_path / "no"), "-c", config]) == 5
    assert str(tmp_path / "no") in capsys.readouterr().err


def test_a_timeout_leaves_the_request_for_the_owner(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from glue_job.edge.lease import LakeLock
    from glue_job.requests import Request

    config = str(lake.parent / "tables.yaml")
    rows = ["--id", "0:17", "--id", "fleet.vehicles:1:4"]
    line = ["quarantine", "replay", "vehicles", "--rule", "veh_001", *rows, "--timeout", "0.1"]
    with LakeLock(lake, "the job"):
        assert app.run([*line, "--lake", str(lake), "-c", config]) == 8
    assert "QUA020" in capsys.readouterr().err
    held: list[Any] = list((lake / "requests").glob("*.json"))
    asked = Request.from_json(held[0].read_text(), held[0].name)
    assert (len(held), asked.kind, asked.selection.rule) == (1, "replay", "veh_001")
    assert asked.selection.coordinates == ((0, 17), (1, 4, "fleet.vehicles"))
    held[0].unlink()
    held[0].parent.rmdir()
