"""One writer for a lake on disk: a lock that the system frees when its owner ends, however it ends.

On AWS the job's `MaxConcurrentRuns=1` is the guard.
"""

from __future__ import annotations

import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Self

from glue_job.errors import JobError

_FILE = "_writer.lock"


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
        file.truncate(0)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        file.write(json.dumps({"pid": os.getpid(), "command": self._command, "since": since}))
        file.flush()
        self._file = file
        return self

    def __exit__(self, *_: object) -> None:
        """Give the lake back."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _owner(text: str) -> str:
    try:
        held = json.loads(text)
        return f"{held['command']}, process {held['pid']}, since {held['since']}"
    except (ValueError, KeyError, TypeError):
        return "its lock is held"
