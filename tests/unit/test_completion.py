"""What a shell that completes a command line is offered: names of the files here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cdcctl import app

CONFIG = Path(__file__).parents[2] / "config"
STACKS = 'stack = "demo"\n[env.prod]\nstack = "live"\n[env.test]\nregion = "eu-west-1"\n'


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder with a config and the stacks of two sections."""
    shutil.copytree(CONFIG, tmp_path / "config")
    (tmp_path / "cdcctl.toml").write_text(STACKS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CDCCTL_CONFIG", raising=False)
    return tmp_path


def asked_by_bash(line: str) -> dict[str, str]:
    """Give the variables by which bash asks for the word that a line ends with."""
    words = line.split(" ")
    return {
        "_CDCCTL_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }


def offered(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    with monkeypatch.context() as asking:
        for name, value in asked_by_bash(line).items():
            asking.setenv(name, value)
        with pytest.raises(SystemExit):
            app.run([])
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out.split()


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("cdcctl quar", ["quarantine"]),
        ("cdcctl quarantine show veh", ["vehicle_telemetry", "vehicles"]),
        ("cdcctl quarantine stats d", ["deliveries", "drivers"]),
        ("cdcctl quarantine replay alerts --rule drv_00", [f"drv_00{n}" for n in range(1, 6)]),
        ("cdcctl history show dr", ["drivers"]),
        ("cdcctl why a", ["alerts"]),
        ("cdcctl reload vehicles de", ["deliveries"]),
        ("cdcctl metrics show --table al", ["alerts"]),
        ("cdcctl metrics plot comp", ["completeness", "compliance"]),
        ("cdcctl metrics plot completeness vehicles.v", ["vehicles.vin"]),
        ("cdcctl start glue --allow-quarantine al", ["alerts"]),
        ("cdcctl local up --allow-quarantine al", ["alerts"]),
        ("cdcctl query fleet_by", ["fleet_by_status"]),
        ("cdcctl rules ra", ["range"]),
        ("cdcctl status --stack ", ["demo", "live"]),
        ("cdcctl logs -s demo d", ["dms"]),
        ("cdcctl logs --local ", ["all", "broker", "capture", "job", "postgres", "supervisor"]),
        ("cdcctl logs --table veh", ["vehicle_telemetry", "vehicles"]),
    ],
)
def test_a_word_is_completed(
    line: str,
    names: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert offered(line, monkeypatch, capsys) == names


def test_the_config_of_the_line_is_read(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = workplace / "config" / "tables.yaml"
    other = workplace / "other.yaml"
    other.write_text(file.read_text(encoding="utf-8").replace("drivers", "riders"))
    assert offered("cdcctl why -c other.yaml ri", monkeypatch, capsys) == ["riders"]
    monkeypatch.setenv("CDCCTL_CONFIG", "other.yaml")
    assert offered("cdcctl logs --table ri", monkeypatch, capsys) == ["riders"]
    for broken in ("tables: 7\n", None):
        if broken is None:
            other.unlink()
        else:
            other.write_text(broken, encoding="utf-8")
        assert offered("cdcctl why ", monkeypatch, capsys) == []


def test_nothing_of_aws_is_imported_for_it() -> None:
    code = (
        "import atexit, os, sys\n"
        "from cdcctl import app\n"
        "heavy = {'boto3', 'pyspark', 'rich'}\n"
        "atexit.register(lambda: os._exit(bool(heavy & sys.modules.keys())))\n"
        "app.run([])"
    )
    environment = {**os.environ, **asked_by_bash("cdcctl status --stack ")}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=30)
