"""Screens of `cdcctl logs`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.text import Text

from cdcctl.operations.log_lines import LogLine
from cdcctl.ui import console, tables
from cdcctl.ui.output import Document

_STYLES = {"glue": "cyan", "dms": "magenta", "msk": "blue", "cfn": "yellow"}


def lines_document(lines: Sequence[LogLine]) -> Document:
    """Give the lines for machines."""
    rows = [line.as_document() for line in lines]
    return Document("logs/v1", {"lines": rows}, rows, ("at", "source", "text"))


def show_lines(lines: Iterable[LogLine]) -> None:
    """Print each line as soon as it is known, with its time and part."""
    out = console.stdout()
    count = 0
    for line in lines:
        count += 1
        style = _STYLES.get(line.source.partition(":")[0], "green")
        text = Text.assemble(
            (tables.local_time(line.at), "dim"), " ", (f"{line.source:<6}", style), " "
        )
        text.append(line.text, style="red" if "ERROR" in line.text else "")
        out.print(tables.drawable(text), soft_wrap=True)
        out.file.flush()
    if not count:
        tables.show("no line since then")
