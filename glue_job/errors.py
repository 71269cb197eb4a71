"""The one error of the job: what failed, why, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class JobError(Exception):
    """An expected failure; `code` is stable and belongs to a family such as CFG, LAK or KFK."""

    code: str
    what: str
    why: str = ""
    fix: str = ""

    def __str__(self) -> str:
        """Give the error as a log line."""
        return " | ".join(part for part in (f"{self.code}: {self.what}", self.why, self.fix) if part)
