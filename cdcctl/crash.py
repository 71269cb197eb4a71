"""Keeps the traceback of an unexpected error, without secrets, in a file that a report can name."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime
from pathlib import Path

from cdcctl.redaction import redacted
from cdcctl.state import state_folder


def traceback_text(error: BaseException) -> str:
    """Give the traceback as text that may be shown and kept."""
    return redacted("".join(traceback.format_exception(error)))


def one_line(error: BaseException) -> str:
    """Give the kind of error and the first line of its message."""
    message = str(error).strip()
    first = redacted(message.splitlines()[0]) if message else ""
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def log_folder() -> Path:
    """Say where logs are kept."""
    return state_folder() / "log"


def keep(trace: str) -> Path | None:
    """Write a traceback to a new file; None when no file can be written."""
    name = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S.%f") + ".txt"
    path = log_folder() / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(trace, encoding="utf-8")
    except OSError:
        return None
    return path
