"""The demo as a newcomer starts it, while its parts are killed one after another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cdcctl.local.layout import StackDirectory
from cdcctl.local.supervisor import read_state
from cdcctl.operations.local_stack import stack_status
from tests.local.running_stack import eventually

pytestmark = pytest.mark.local

REPOSITORY = Path(__file__).parents[2]


def start_demo(folder: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cdcctl", "demo", "--dir", str(folder), "-o", "json", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )


def processes(folder: Path) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if str(folder) in " ".join(process.info["cmdline"] or ())
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def child_pid(folder: Path, name: str) -> int | None:
    child = read_state(StackDirectory(folder).state).get("children", {}).get(name, {})
    return child.get("pid")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_source_is_lake_though_every_part_was_killed(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo = start_demo(folder, "--rows", "600", "--rate", "30", "--timeout", "400")
    try:
        ready = {"postgres", "broker", "capture"}
        eventually(
            lambda: (
                ready
                <= {each.name for each in stack_status(folder).children if each.state == "ready"}
                or None
            )
        )
        for name in ("broker", "capture", "job", "postgres"):
            time.sleep(2)
            pid = eventually(lambda name=name: child_pid(folder, name))
            os.kill(pid, signal.SIGKILL)
        stdout, stderr = demo.communicate(timeout=500)
    finally:
        demo.kill()
    assert demo.returncode == 0, stderr
    result = json.loads(stdout)["data"]
    assert result["proved"] is True
    telemetry = next(each for each in result["tables"] if each["table"] == "vehicle_telemetry")
    assert telemetry["equal"] > 100
    assert telemetry["quarantined"]
    assert telemetry["checks"] > 0
    assert processes(folder) == []
    assert (folder / "lake" / "delta" / "vehicles").is_dir()


def test_ctrl_c_ends_everything(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo = start_demo(folder, "--rows", "5000", "--rate", "10")
    eventually(lambda: child_pid(folder, "job"))
    demo.send_signal(signal.SIGINT)
    demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert processes(folder) == []


def test_a_killed_demo_leaves_nothing_running(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo = start_demo(folder, "--rows", "5000", "--rate", "10")
    eventually(lambda: child_pid(folder, "capture"))
    demo.kill()
    demo.communicate()
    eventually(lambda: processes(folder) == [] or None)
