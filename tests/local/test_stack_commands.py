"""`cdcctl local` and `cdcctl seed` as an operator types them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import psutil
import pytest

from cdcctl import app
from cdcctl.local.layout import StackDirectory
from cdcctl.operations.local_report import CaptureReport
from cdcctl.operations.local_stack import stack_status, stop_stack
from cdcctl.ui.output import schema_of
from cdcctl.ui.progress import SilentProgress
from tests.local.conftest import CONFIG
from tests.local.running_stack import RunningStack, eventually
from tests.readme_blocks import hold_to_readme

pytestmark = pytest.mark.local

REPOSITORY = Path(__file__).parents[2]
FLEET = REPOSITORY / "config" / "tables.yaml"


@dataclass(frozen=True)
class Shell:
    """Runs cdcctl on one stack folder."""

    root: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "cdcctl", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env={**os.environ, "CDCCTL_LOCAL_DIR": str(self.root)},
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        stdout, stderr = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    def up(self, config: Path, *options: str) -> subprocess.CompletedProcess[str]:
        return self.run("local", "up", "--without-job", "--config", str(config), *options)

    def json(self, schema: str, *arguments: str) -> dict[str, Any]:
        document = json.loads(self.run(*arguments, "-o", "json").stdout)
        jsonschema.validate(document, schema_of(schema))
        return dict(document["data"])

    def error(self, result: subprocess.CompletedProcess[str]) -> str:
        assert "Traceback" not in result.stderr
        return result.stderr

    def processes(self) -> list[int]:
        """Find what runs for this folder, whoever its parent is."""
        return [
            process.pid
            for process in psutil.process_iter(["cmdline", "status"])
            if str(self.root) in " ".join(process.info["cmdline"] or ())
            and process.info["status"] != psutil.STATUS_ZOMBIE
        ]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path / ".cdcctl" / "local")
    yield shell
    stop_stack(shell.root, SilentProgress())
    assert shell.processes() == []


@pytest.fixture
def readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], None]:
    """Give a function that holds blocks of README.md to what the commands print in a folder."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(line: str) -> str:
        # What comes before a load has ended is not counted as a change.
        if line.startswith("seed"):
            eventually(lambda: all(each.is_loaded for each in stack_status(None).tables) or None)
        if line == "local status":
            eventually(lambda: sum(map(changes, stack_status(None).tables)) == 300 or None)
        app.run(shlex.split(line))
        return capsys.readouterr().out

    def hold(kind: str) -> None:
        with monkeypatch.context() as there:
            there.chdir(tmp_path)
            hold_to_readme(kind, run)

    shutil.copytree(FLEET.parent, tmp_path / "config")
    return hold


def changes(table: CaptureReport) -> int:
    return table.inserts + table.updates + table.deletes


def test_a_stack_is_started_filled_killed_continued_and_removed(
    shell: Shell, readme: Callable[[str], None]
) -> None:
    readme("local")
    seeded = shell.json("seed/v1", "seed", "--local", "--rows", "60", "--bad-share", "0")
    assert seeded["rows"] >= 60

    status = shell.json("local-status/v1", "local", "status")
    assert {each["name"]: each["state"] for each in status["processes"]} == {
        "postgres": "ready",
        "broker": "ready",
        "capture": "ready",
    }
    again = shell.up(FLEET)
    assert (again.returncode, "was up already" in again.stdout) == (0, True)
    assert "LOC063" in shell.error(shell.up(FLEET, "--allow-quarantine", "vehicles"))
    other = shell.up(CONFIG)
    assert (other.returncode, "LOC054" in shell.error(other)) == (1, True)

    count = "SELECT count(*) FROM vehicle_telemetry"
    before = RunningStack(StackDirectory(shell.root), stack_status(shell.root)).sql(count)
    supervisor = next(
        pid for pid in shell.processes() if "cdcctl.local.stack" in psutil.Process(pid).cmdline()
    )
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: shell.processes() == [] or None, 15)
    killed = shell.run("local", "status", "-o", "json")
    assert json.loads(killed.stdout)["data"]["up"] is False
    assert "was killed" in json.loads(killed.stdout)["warnings"][0]
    assert shell.run("local", "status", "--exit-status").returncode == 7

    assert shell.up(FLEET).returncode == 0
    running = RunningStack(StackDirectory(shell.root), stack_status(shell.root))
    assert running.sql(count) == before
    loads = [m for m in running.messages("vehicles") if m.operation == "load"]
    assert loads == []

    readme("local-down")
    assert shell.processes() == []
    assert shell.run("local", "down").stdout == "no local stack was up\n"
    refused = shell.run("local", "reset")
    assert (refused.returncode, "--yes" in refused.stderr) == (10, True)
    readme("local-reset")
    assert not shell.root.exists()


def test_seed_without_a_stack_says_how_to_start_one(shell: Shell) -> None:
    result = shell.run("seed", "--local")
    assert (result.returncode, "cdcctl local up" in shell.error(result)) == (5, True)


def test_a_port_in_use_is_refused(shell: Shell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = shell.up(CONFIG, "--kafka-port", str(port))
    assert result.returncode == 1
    assert f"port {port} is in use by another process" in shell.error(result)


def test_a_folder_with_other_files_is_left_alone(shell: Shell) -> None:
    shell.root.mkdir(parents=True)
    (shell.root / "thesis.txt").write_text("years of work")
    assert "LOC051" in shell.error(shell.up(CONFIG))
    assert "LOC050" in shell.error(shell.run("local", "reset", "--yes"))
    assert (shell.root / "thesis.txt").exists()


def test_a_config_with_a_fault_starts_nothing(shell: Shell, tmp_path: Path) -> None:
    config = tmp_path / "tables.yaml"
    config.write_text("tables: 7\n")
    assert shell.up(config).returncode == 3
    assert shell.up(tmp_path / "nowhere.yaml").returncode == 3
    assert not shell.root.exists()


def test_a_damaged_data_directory_is_reported_and_nothing_is_left(
    running: RunningStack, shell: Shell
) -> None:
    # The cluster of the running stack, copied as after a bad shutdown, with its heart torn out.
    shutil.copytree(running.stack.root, shell.root, ignore=shutil.ignore_patterns("run", "broker"))
    data = shell.root / "postgres"
    if os.geteuid() == 0:
        for path in (data, *data.rglob("*")):
            shutil.chown(path, "pgserver")
    (data / "global" / "pg_control").write_bytes(b"damaged")
    result = shell.up(CONFIG)
    error = shell.error(result)
    assert result.returncode == 1
    assert "postgres of the local stack does not start" in error
    assert "its data directory is damaged" in error
    assert "pg_control" in error
    assert "cdcctl local reset" in error
    assert shell.processes() == []


def test_ctrl_c_while_starting_leaves_nothing(shell: Shell) -> None:
    starting = shell.start("local", "up", "--without-job", "--config", str(CONFIG))
    eventually(lambda: (shell.root / "run" / "state.json").exists() or None)
    time.sleep(0.3)
    starting.send_signal(signal.SIGINT)
    starting.communicate(timeout=30)
    assert starting.returncode == 130
    assert shell.processes() == []
