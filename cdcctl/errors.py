"""The one error of the tool: what failed, why, and one command that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """What the shell is told; README.md lists them."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CONFIG = 3
    CREDENTIALS = 4
    NOT_FOUND = 5
    CHANGES = 6
    UNHEALTHY = 7
    TIMEOUT = 8
    PARTIAL = 9
    CONFIRM = 10
    INTERRUPTED = 130


@dataclass(eq=False)
class CdcctlError(Exception):
    """An expected failure; `code` is stable and belongs to a family such as CFG, LAK or LOC."""

    code: str
    what: str
    why: str = ""
    fix: str = ""
    exit_code: int = ExitCode.FAILED
    log: Path | str | None = None
    location: str | None = None
    request_id: str | None = None

    def __str__(self) -> str:
        """Give the first line only: what a log or a traceback needs."""
        return f"{self.code}: {self.what}"

    def as_document(self) -> dict[str, dict[str, str | None]]:
        """Give the shape that `-o json` prints on stderr."""
        return {
            "error": {
                "code": self.code,
                "what": self.what,
                "why": self.why,
                "fix": self.fix,
                "location": self.location,
                "request_id": self.request_id,
            }
        }
