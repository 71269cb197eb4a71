"""What GitHub Actions shows beside the log: the summary of a step."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cdcctl.ui.console import on_one_line


def add_summary(heading: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Add a table to the summary of the step that runs this; elsewhere do nothing."""
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if not summary:
        return
    names = [*columns]
    lines = [f"### {on_one_line(heading)}", "", _row(names), "|" + "---|" * len(names)]
    lines += [_row(each) for each in rows]
    # What was done is told on the terminal too: a summary that cannot be written ends nothing.
    with suppress(OSError), Path(summary).open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n\n")


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(on_one_line(cell).replace("|", "\\|") for cell in cells) + " |"
