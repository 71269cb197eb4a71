"""Keeps the children of a local stack alive, tells how they are, and leaves none behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from cdcctl.errors import CdcctlError
from cdcctl.local.layout import write_whole
from cdcctl.local.processes import ProcessIdentity, end_group, last_lines, start_child

POLL_SECONDS = 0.1
FIRST_BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 15.0
DEATHS_IN_A_ROW = 3
"""After so many deaths without being ready in between, a child is reported as failed."""
STARTING_PATIENCE_SECONDS = 2.0
CALM_SECONDS = 30.0
"""Ready for so long, a child's earlier deaths are forgotten."""

Diagnosis = tuple[re.Pattern[str], str, str]
"""What the end of the log says, what that means, what to do."""

DISK_FULL: Diagnosis = (
    re.compile(r"No space left on device"),
    "the disk is full",
    "free some disk space; it then starts by itself",
)


class ChildState(StrEnum):
    """How a child is."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPED = "stopped"


class Phase(StrEnum):
    """How the stack is."""

    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Problem:
    """Why a child is not well, in the form of an error."""

    what: str
    why: str = ""
    fix: str = ""
    lines: tuple[str, ...] = ()
    log: str = ""


@dataclass(frozen=True)
class Child:
    """A process to be kept alive."""

    name: str
    command: Callable[[], Sequence[str]]
    log: Path
    is_ready: Callable[[], bool]
    after: tuple[str, ...] = ()
    """Names of children and tasks that come first."""
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    prepare: Callable[[], None] = lambda: None
    user: int | None = None
    stop_signal: int = signal.SIGTERM
    stop_patience_seconds: float = 10.0
    ask_to_stop: Callable[[], None] | None = None
    """A gentler way than the signal, tried first."""
    ready_patience_seconds: float = 60.0
    stop_rank: int = 0
    """Children of a higher rank are stopped before those of a lower one."""
    diagnoses: Sequence[Diagnosis] = ()


@dataclass(frozen=True)
class Task:
    """A step that is done once, between children."""

    name: str
    run: Callable[[], None]
    after: tuple[str, ...] = ()


@dataclass
class _Running:
    child: Child
    state: ChildState = ChildState.WAITING
    process: subprocess.Popen[bytes] | None = None
    identity: ProcessIdentity | None = None
    started_at: float = 0.0
    ready_at: float | None = None
    log_offset: int = 0
    deaths_in_a_row: int = 0
    restarts: int = 0
    start_due: float = 0.0
    problem: Problem | None = None


@dataclass
class _Step:
    task: Task
    thread: threading.Thread | None = None
    state: ChildState = ChildState.WAITING
    problem: Problem | None = None


class Supervisor:
    """Starts children in their order, restarts the dead with back-off, stops all at the end."""

    def __init__(
        self,
        children: Sequence[Child],
        tasks: Sequence[Task],
        state_file: Path,
        facts: Mapping[str, object],
    ) -> None:
        self._running = [_Running(child) for child in children]
        self._steps = [_Step(task) for task in tasks]
        nodes: list[Child | Task] = [*children, *tasks]
        unknown = {name for node in nodes for name in node.after} - {node.name for node in nodes}
        if unknown:
            raise ValueError(f"nothing is called {', '.join(sorted(unknown))}")
        self._state_file = state_file
        self._facts = dict(facts)
        self._phase = Phase.STARTING
        self._was_ready = False
        self._stop = threading.Event()
        self._written = ""

    def stop(self) -> None:
        """Ask for the end; `run` returns when every child has ended."""
        self._stop.set()

    def run(self) -> None:
        """Supervise until asked to stop."""
        try:
            while not self._stop.is_set():
                self._advance()
                self._write_state()
                self._stop.wait(POLL_SECONDS)
        finally:
            self._phase = Phase.STOPPING
            self._write_state()
            self._stop_children()
            self._phase = Phase.STOPPED
            self._write_state()

    def _advance(self) -> None:
        for step in self._steps:
            self._advance_step(step)
        for running in self._running:
            self._advance_child(running)
        states = [running.state for running in self._running]
        states += [step.state for step in self._steps]
        if ChildState.FAILED in states:
            self._phase = Phase.DEGRADED if self._was_ready else Phase.FAILED
        elif all(state is ChildState.READY for state in states):
            self._phase, self._was_ready = Phase.READY, True
        else:
            self._phase = Phase.DEGRADED if self._was_ready else Phase.STARTING

    def _are_ready(self, names: Sequence[str]) -> bool:
        ready = {r.child.name for r in self._running if r.ready_at is not None}
        ready |= {s.task.name for s in self._steps if s.state is ChildState.READY}
        return ready.issuperset(names)

    def _advance_step(self, step: _Step) -> None:
        if step.state is ChildState.WAITING and self._are_ready(step.task.after):
            step.state = ChildState.STARTING
            step.thread = threading.Thread(target=self._run_step, args=(step,), daemon=True)
            step.thread.start()

    def _run_step(self, step: _Step) -> None:
        for attempt in range(DEATHS_IN_A_ROW):
            try:
                step.task.run()
            except CdcctlError as error:
                step.problem = Problem(error.what, error.why, error.fix)
                break
            except Exception as error:  # noqa: BLE001 - whatever a server answers is reported
                reason = " ".join(str(error).split()) or repr(error)
                step.problem = Problem(f"{step.task.name} failed", why=reason)
                time.sleep(FIRST_BACKOFF_SECONDS * 2**attempt)
            else:
                step.state, step.problem = ChildState.READY, None
                return
        step.state = ChildState.FAILED

    def _advance_child(self, running: _Running) -> None:
        if running.process is None:
            if time.monotonic() >= running.start_due and self._are_ready(running.child.after):
                self._start(running)
            return
        code = running.process.poll()
        if code is not None:
            self._bury(running, _exit_text(code))
            return
        now = time.monotonic()
        if running.state is not ChildState.READY:
            if running.child.is_ready():
                running.state, running.ready_at, running.problem = ChildState.READY, now, None
            elif now - running.started_at > running.child.ready_patience_seconds:
                end_group(running.process.pid, signal.SIGKILL, 1.0, self._is_gone(running))
                patience = f"{running.child.ready_patience_seconds:.0f} s"
                self._bury(running, f"was not ready after {patience}")
        elif running.ready_at is not None and now - running.ready_at > CALM_SECONDS:
            running.deaths_in_a_row = 0

    def _start(self, running: _Running) -> None:
        child = running.child
        try:
            child.prepare()
            running.log_offset = child.log.stat().st_size if child.log.exists() else 0
            command = child.command()
            running.process = start_child(
                command, child.log, child.environment, child.user, child.stop_signal
            )
        except CdcctlError as error:
            self._fail(running, Problem(error.what, error.why, error.fix))
            return
        except OSError as error:
            self._fail(running, Problem(f"{child.name} could not be started", why=str(error)))
            return
        running.identity = ProcessIdentity.of(running.process.pid)
        running.started_at = time.monotonic()
        if running.state is not ChildState.FAILED:
            running.state = ChildState.STARTING
        self._write_state()

    def _bury(self, running: _Running, ending: str) -> None:
        # What the dead left behind in its group must not hold its port or its files.
        if running.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(running.process.pid, signal.SIGKILL)
        self._fail(running, self._diagnose(running, ending))

    def _fail(self, running: _Running, problem: Problem) -> None:
        running.process, running.identity, running.ready_at = None, None, None
        running.deaths_in_a_row += 1
        running.restarts += 1
        backoff = FIRST_BACKOFF_SECONDS * 2 ** min(running.deaths_in_a_row - 1, 10)
        running.start_due = time.monotonic() + min(backoff, MAX_BACKOFF_SECONDS)
        running.problem = problem
        hopeless = running.deaths_in_a_row >= DEATHS_IN_A_ROW
        running.state = ChildState.FAILED if hopeless else ChildState.RESTARTING

    def _diagnose(self, running: _Running, ending: str) -> Problem:
        child = running.child
        lines = last_lines(child.log, since=running.log_offset)
        text = "\n".join(last_lines(child.log, count=200, since=running.log_offset))
        for pattern, meaning, remedy in (DISK_FULL, *child.diagnoses):
            if pattern.search(text):
                why, fix = f"{meaning} ({ending})", remedy
                break
        else:
            why, fix = ending, f"cdcctl logs {child.name} --local"
        return Problem(f"{child.name} ended", why, fix, tuple(lines), str(child.log))

    def _is_gone(self, running: _Running) -> Callable[[], bool]:
        process = running.process
        return lambda: process is None or process.poll() is not None

    def _stop_children(self) -> None:
        for rank in sorted({r.child.stop_rank for r in self._running}, reverse=True):
            same = [r for r in self._running if r.child.stop_rank == rank and r.process is not None]
            threads = [threading.Thread(target=self._stop_child, args=(r,)) for r in same]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        for running in self._running:
            running.state = ChildState.STOPPED

    def _stop_child(self, running: _Running) -> None:
        child, process = running.child, running.process
        if process is None:
            return
        patience = child.stop_patience_seconds
        if running.ready_at is None:
            # What is still starting has nothing to bring to an end.
            patience = STARTING_PATIENCE_SECONDS
        elif child.ask_to_stop is not None:
            child.ask_to_stop()
            with suppress(subprocess.TimeoutExpired):
                process.wait(patience)
            patience = STARTING_PATIENCE_SECONDS
        end_group(process.pid, child.stop_signal, patience, self._is_gone(running))
        running.process, running.identity = None, None

    def _write_state(self) -> None:
        document = {
            **self._facts,
            "phase": self._phase,
            "children": {
                running.child.name: {
                    "state": running.state,
                    "pid": running.identity.pid if running.identity else None,
                    "started_at": running.identity.started_at if running.identity else None,
                    "restarts": running.restarts,
                    "problem": asdict(running.problem) if running.problem else None,
                    "log": str(running.child.log),
                }
                for running in self._running
            },
            "tasks": {
                step.task.name: {
                    "state": step.state,
                    "problem": asdict(step.problem) if step.problem else None,
                }
                for step in self._steps
            },
        }
        text = json.dumps(document, indent=1)
        if text == self._written:
            return
        # On a full disk the children are more important than what is told of them.
        with suppress(OSError):
            write_whole(self._state_file, text)
            self._written = text


def _exit_text(code: int) -> str:
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"exit code {code}"


def end_leftovers(state_file: Path) -> list[str]:
    """End children that an earlier supervisor left behind; give their names."""
    ended = []
    for name, child in read_state(state_file).get("children", {}).items():
        if child["pid"] is None:
            continue
        identity = ProcessIdentity(child["pid"], child["started_at"])
        if identity.is_alive():
            end_group(identity.pid, signal.SIGTERM, 10.0, partial(_has_ended, identity))
            ended.append(name)
    return ended


def _has_ended(identity: ProcessIdentity) -> bool:
    return not identity.is_alive()


def read_state(state_file: Path) -> dict[str, Any]:
    """Read the state file; empty when there is none or it is damaged."""
    try:
        document = json.loads(state_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
