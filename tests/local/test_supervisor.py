"""Children come back, are reported, and never outlive their supervisor."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from cdcctl.local import supervisor as supervision
from cdcctl.local.processes import ProcessIdentity
from cdcctl.local.supervisor import Child, Supervisor, Task, end_leftovers, read_state
from tests.local.running_stack import eventually

SLEEPER = "import time; time.sleep(600)"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what died begin again after a twentieth of a second."""
    monkeypatch.setattr(supervision, "FIRST_BACKOFF_SECONDS", 0.05)


def child(folder: Path, name: str, program: str, **options: Any) -> Child:
    options.setdefault("is_ready", lambda: True)
    return Child(
        name=name,
        command=lambda: [sys.executable, "-c", program],
        log=folder / f"{name}.log",
        **options,
    )


@contextmanager
def supervised(folder: Path, *children: Child, tasks: tuple[Task, ...] = ()) -> Iterator[Path]:
    """Supervise in a thread; the kernel then watches that thread."""
    state = folder / "state.json"
    supervisor = Supervisor(children, tasks, state, {})
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        yield state
    finally:
        supervisor.stop()
        thread.join(20)
    assert not thread.is_alive()


def when(state: Path, name: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    def found() -> dict[str, Any] | None:
        entry = read_state(state).get("children", {}).get(name)
        return entry if entry and wanted(entry) else None

    return eventually(found, 20)


def test_a_killed_child_comes_back(tmp_path: Path) -> None:
    with supervised(tmp_path, child(tmp_path, "worker", SLEEPER)) as state:
        first = when(state, "worker", lambda each: each["state"] == "ready")
        os.kill(first["pid"], signal.SIGKILL)
        second = when(
            state, "worker", lambda each: each["state"] == "ready" and each["restarts"] == 1
        )
        assert second["pid"] != first["pid"]
    assert not psutil.pid_exists(second["pid"])


def test_a_child_that_keeps_dying_is_reported_with_its_last_words(tmp_path: Path) -> None:
    dying = child(
        tmp_path,
        "server",
        "print('could not bind: Address already in use', flush=True); raise SystemExit(3)",
        is_ready=lambda: False,
        diagnoses=((re.compile("Address already in use"), "its port is taken", "free the port"),),
    )
    with supervised(tmp_path, dying) as state:
        failed = when(state, "server", lambda each: each["state"] == "failed")
        assert read_state(state)["phase"] == "failed"
    assert failed["problem"]["why"] == "its port is taken (exit code 3)"
    assert failed["problem"]["fix"] == "free the port"
    assert failed["problem"]["lines"] == ["could not bind: Address already in use"]


def test_a_child_that_is_never_ready_is_reported(tmp_path: Path) -> None:
    hanging = child(tmp_path, "server", SLEEPER, is_ready=lambda: False, ready_patience_seconds=0.3)
    with supervised(tmp_path, hanging) as state:
        failed = when(state, "server", lambda each: each["state"] == "failed")
    assert failed["problem"]["why"] == "was not ready after 0 s"


def test_a_program_that_is_not_there_is_reported(tmp_path: Path) -> None:
    absent = Child("absent", lambda: ["/no/such/program"], tmp_path / "log", lambda: True)
    with supervised(tmp_path, absent) as state:
        failed = when(state, "absent", lambda each: each["state"] == "failed")
    assert "No such file" in failed["problem"]["why"]


def test_children_start_after_what_they_need(tmp_path: Path) -> None:
    order: list[str] = []
    first = child(tmp_path, "first", SLEEPER, prepare=lambda: order.append("first"))
    last = child(
        tmp_path, "last", SLEEPER, prepare=lambda: order.append("last"), after=("between",)
    )
    between = Task("between", lambda: order.append("between"), ("first",))
    with supervised(tmp_path, last, first, tasks=(between,)) as state:
        when(state, "last", lambda each: each["state"] == "ready")
    assert order == ["first", "between", "last"]


def test_a_task_that_fails_is_reported(tmp_path: Path) -> None:
    def fail() -> None:
        raise ValueError("no such table")

    with supervised(
        tmp_path, child(tmp_path, "worker", SLEEPER), tasks=(Task("tables", fail),)
    ) as state:
        eventually(lambda: read_state(state).get("phase") == "failed" or None, 20)
        problem = read_state(state)["tasks"]["tables"]["problem"]
    assert (problem["what"], problem["why"]) == ("tables failed", "no such table")


def test_a_child_that_ignores_the_request_to_end_is_ended_with_its_own_children(
    tmp_path: Path,
) -> None:
    stubborn = child(
        tmp_path,
        "stubborn",
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True); time.sleep(600)",
        stop_patience_seconds=0.3,
    )
    with supervised(tmp_path, stubborn):
        grandchild = eventually(
            lambda: int(stubborn.log.read_text() or 0) or None if stubborn.log.exists() else None
        )
    eventually(lambda: not _runs(grandchild) or None, 5)


def test_children_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from cdcctl.local.supervisor import Child, Supervisor
folder = Path({str(tmp_path)!r})
child = Child("worker", lambda: [sys.executable, "-c", {SLEEPER!r}], folder / "log", lambda: True)
Supervisor([child], [], folder / "state.json", {{}}).run()
"""
    supervisor = subprocess.Popen([sys.executable, "-c", program])
    try:
        worker = when(tmp_path / "state.json", "worker", lambda each: each["state"] == "ready")
    finally:
        supervisor.kill()
        supervisor.wait()
    eventually(lambda: not _runs(worker["pid"]) or None, 5)


def test_what_a_killed_supervisor_left_behind_is_ended(tmp_path: Path) -> None:
    orphan = subprocess.Popen([sys.executable, "-c", SLEEPER], start_new_session=True)
    identity = ProcessIdentity.of(orphan.pid)
    assert identity is not None
    entry = {"pid": identity.pid, "started_at": identity.started_at}
    another = {"pid": os.getpid(), "started_at": identity.started_at - 1_000}
    state = tmp_path / "state.json"
    state.write_text(json.dumps({"children": {"worker": entry, "reused": another}}))
    threading.Thread(target=orphan.wait).start()
    assert end_leftovers(state) == ["worker"]
    assert orphan.wait(5) == -signal.SIGTERM


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
