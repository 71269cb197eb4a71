"""What is wrong with a pipeline, in one line, and the command that helps."""

from __future__ import annotations

from dataclasses import dataclass

QUARANTINE_LIMIT = 0.05
"""The share of refused messages from which a table has a problem."""


@dataclass(frozen=True)
class Problem:
    """One line of what is wrong, and the command that helps."""

    text: str
    fix: str


def quarantine_problems(
    table: str, refused: int, consumed: int, *, option: str = ""
) -> list[Problem]:
    """Hold the share of refused messages of a table against its limit."""
    if not consumed or refused / consumed <= QUARANTINE_LIMIT:
        return []
    return [
        Problem(
            f"quarantine rate of {table} is {refused / consumed:.1%}"
            f" (limit {QUARANTINE_LIMIT:.0%})",
            f"cdcctl quarantine stats {table}{option}",
        )
    ]
