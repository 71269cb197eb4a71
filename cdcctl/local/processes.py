"""Child processes that never outlive their parent, and processes known by more than their id."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from glue_job.contract.telemetry import LINE_START

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class ProcessIdentity:
    """A process id with its start time, because ids are used again."""

    pid: int
    started_at: float

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """Identify a running process; None when there is none."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    def is_alive(self) -> bool:
        """Tell whether this very process still runs."""
        try:
            process = psutil.Process(self.pid)
            is_same = abs(process.create_time() - self.started_at) < 1.0
            return bool(is_same and process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False


def start_child(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str],
    user: int | None = None,
    death_signal: int = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a process in its own group, writing to `log`, that is signalled when this one dies.

    The kernel watches the thread that starts the child: call this from the main thread.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            preexec_fn=die_with_parent(death_signal),
            cwd="/",
        )


def die_with_parent(death_signal: int) -> Callable[[], None]:
    """Give what a child runs before its program, so that its parent's death ends it too."""
    parent = os.getpid()

    def arrange() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return arrange


def end_group(pid: int, first: int, patience_seconds: float, is_gone: Callable[[], bool]) -> None:
    """Ask a process to end, then end its whole group the hard way."""
    with suppress(ProcessLookupError):
        os.kill(pid, first)
    deadline = time.monotonic() + patience_seconds
    while not is_gone() and time.monotonic() < deadline:
        time.sleep(0.05)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while not is_gone() and time.monotonic() < deadline:
        time.sleep(0.05)


def free_port() -> int:
    """Give a loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_port_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def last_lines(log: Path, count: int = 15, since: int = 0) -> list[str]:
    """Give the end of a log file without its metrics, of what was written after byte `since`."""
    try:
        with log.open("rb") as handle:
            size = handle.seek(0, os.SEEK_END)
            handle.seek(max(since, size - 64_000))
            text = handle.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    lines = [line for line in text.splitlines() if line.strip()]
    return [line for line in lines if not line.startswith(LINE_START)][-count:]
