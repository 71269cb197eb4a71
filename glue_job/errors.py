"""What the job says when it cannot go on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class JobError(Exception):
    """What happened, why, and what to do; `code` is stable."""

    code: str
    what: str
    why: str = ""
    fix: str = ""

    def __str__(self) -> str:
        """Spell the error on one line, for logs."""
        parts = (f"{self.code}: {self.what}", self.why, f"fix: {self.fix}" if self.fix else "")
        return "; ".join(part for part in parts if part)
