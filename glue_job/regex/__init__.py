"""Patterns of tables.yaml: read as Java does, made strict about `$`, bounded in time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from glue_job.regex.effort import LENGTHS, UnsafePatternError, longest_safe_value
from glue_job.regex.syntax import PatternError, parse

LONGEST_VALUE = LENGTHS[0]


@dataclass(frozen=True)
class Fault:
    """Why a pattern is refused, and what to do."""

    message: str
    help: str = ""


@dataclass(frozen=True)
class Inspected:
    """What is known of a pattern; with a fault it must not be run."""

    java_pattern: str
    """The pattern in which `$` does not accept a trailing newline."""
    longest_value: int
    """The longest value that is matched in about a second at worst."""
    faults: tuple[Fault, ...] = ()


@lru_cache(maxsize=4096)
def inspect(pattern: str) -> Inspected:
    """Look at a pattern without running it."""
    try:
        parsed = parse(pattern)
        longest = longest_safe_value(parsed.tree)
    except (PatternError, UnsafePatternError) as error:
        return Inspected(pattern, 0, (Fault(str(error), error.help),))
    return Inspected(_without_soft_ends(pattern, parsed.dollars), longest)


def _without_soft_ends(pattern: str, dollars: tuple[int, ...]) -> str:
    r"""Write `$` as `\z`: Java's `$` also matches before a line end that closes the text."""
    for position in reversed(dollars):
        pattern = f"{pattern[:position]}\\z{pattern[position + 1 :]}"
    return pattern
