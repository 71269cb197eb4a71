"""Draws what is wrong, each with the command that helps."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from cdcctl.operations.problem import Problem
from cdcctl.ui import tables


def show_problems(problems: Sequence[Problem], *, is_whole: bool = True) -> None:
    """Draw the problems, or that there is none in what could be looked at."""
    if not problems and not is_whole:
        tables.show(Text("? nothing is wrong in what could be looked at", style="yellow"))
        return
    if not problems:
        tables.show(Text("✔ nothing is wrong", style="green"))
        return
    count = len(problems)
    tables.show(Text(f"{count} problem{'s' if count > 1 else ''}", style="bold red"))
    for problem in problems:
        tables.show(Text.assemble("→ ", problem.text, "\n  ", (problem.fix, "bold")))
