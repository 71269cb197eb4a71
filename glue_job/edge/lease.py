"""One writer for a lake on disk: a lock that the system frees when its owner ends, however it ends.

On AWS the job's `MaxConcurrentRuns=1` is the guard.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Self

from glue_job.errors import JobError

_FILE = "_writer.lock"
_JVM_PATIENCE_SECONDS = 30.0


class LakeLock:
    """Holds a lake folder for this process, from entering to leaving."""

    def __init__(self, lake: Path, command: str) -> None:
        """Name the lake, and what this process does to it."""
        self._lake = lake
        self._command = command
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        """Take the lake; JobError LAK040 names who has it, LAK041 that it cannot be written."""
        try:
            self._lake.mkdir(parents=True, exist_ok=True)
            file = (self._lake / _FILE).open("a+", encoding="utf-8")
        except OSError as error:
            raise JobError(
                code="LAK041",
                what=f"the lake folder {self._lake} cannot be written",
                why=error.strerror or str(error),
                fix="name a folder that you may write with --lake",
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            owner = _owner(file.read())
            file.close()
            raise JobError(
                code="LAK040",
                what=f"another process writes the lake {self._lake}",
                why=owner,
                fix="wait until it has ended, or stop it (the local stack: cdcctl local down)",
            ) from error
        file.seek(0)
        try:
            _outlive_jvm(self._lake, file.read())
        except JobError:
            file.close()
            raise
        self._file = file
        self._note()
        return self

    def note_jvm(self, pid: int) -> None:
        """Note the Java process that writes for this one: it may live on for a moment."""
        self._note(jvm=pid)

    def _note(self, **others: int) -> None:
        assert self._file is not None
        since = datetime.now(UTC).isoformat(timespec="seconds")
        owner = {"pid": os.getpid(), "command": self._command, "since": since, **others}
        self._file.truncate(0)
        self._file.write(json.dumps(owner))
        self._file.flush()

    def __exit__(self, *_: object) -> None:
        """Give the lake back."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _outlive_jvm(lake: Path, text: str) -> None:
    """Wait for the Java process of an owner that was killed: it may be about to commit."""
    try:
        pid = int(json.loads(text)["jvm"])
    except (ValueError, KeyError, TypeError):
        return
    deadline = time.monotonic() + _JVM_PATIENCE_SECONDS
    while _is_java(pid):
        if time.monotonic() > deadline:
            raise JobError(
                code="LAK040",
                what=f"another process writes the lake {lake}",
                why=f"the Java process {pid} of an owner that was killed still runs",
                fix=f"end it: kill {pid}",
            )
        time.sleep(0.1)


def _is_java(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        command = Path(f"/proc/{pid}/cmdline")
        return not command.exists() or b"java" in command.read_bytes().split(b"\0", 1)[0]
    except PermissionError:
        return True
    except OSError:
        return False


def _owner(text: str) -> str:
    try:
        held = json.loads(text)
        return f"{held['command']}, process {held['pid']}, since {held['since']}"
    except (ValueError, KeyError, TypeError):
        return "its lock is held"
