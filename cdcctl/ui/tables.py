"""Tables and small drawings for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from cdcctl.operations.machine_values import machine_time
from cdcctl.ui.console import printable, stdout

Cell = str | Text
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Heading:
    """One column of a table."""

    title: str
    align: Literal["left", "right"] = "left"
    is_wide: bool = False
    """Gives way to the other columns and breaks its text over lines."""
    style: str = ""
    kept_width: int = 0
    """What a wide column does not give up."""


def table(headings: Sequence[Heading], rows: Iterable[Sequence[Cell]]) -> Table:
    """Build a borderless table; a short column keeps its width, a wide one wraps."""
    drawn = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for heading in headings:
        drawn.add_column(
            heading.title,
            justify=heading.align,
            overflow="fold",
            no_wrap=not heading.is_wide,
            min_width=max(len(heading.title), heading.kept_width),
            style=heading.style,
        )
    for row in rows:
        drawn.add_row(*map(drawable, row))
    return drawn


def facts(pairs: Iterable[tuple[str, Cell]]) -> Table:
    """Build a table of one row each for a name and its value."""
    drawn = table((Heading("", style="dim"), Heading("", is_wide=True)), pairs)
    drawn.show_header = False
    return drawn


def show(*parts: Table | Text | str) -> None:
    """Print to stdout; strings are printed as they are, without markup."""
    console = stdout()
    for part in parts:
        console.print(part if isinstance(part, Table) else drawable(part))


def drawable(cell: Cell) -> Text:
    """Give a text whose control characters are shown, not obeyed."""
    text = Text(cell) if isinstance(cell, str) else cell.copy()
    text.plain = printable(text.plain)
    return text


def sparkline(values: Sequence[float | None], *, low: float | None = None) -> str:
    """Draw numbers as bars from `low`, else the smallest, to the largest; a gap is a space."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = min(known) if low is None else low, max(known)
    span = high - low
    steps = len(_BARS) - 1

    def bar(value: float | None) -> str:
        if value is None:
            return " "
        return _BARS[round((value - low) / span * steps)] if span else _BARS[steps // 2]

    return "".join(bar(value) for value in values)


def clipped(text: str, length: int) -> str:
    """Cut a text that is longer than `length`, and show that."""
    return text if len(text) <= length else text[: length - 1] + "…"


def spelled(value: Any) -> str:
    """Spell one value of a row."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case datetime():
            return machine_time(value)
        case _:
            return str(value)


def ago(moment: datetime, now: datetime) -> str:
    """Say how long before `now` a moment lies: 5 s, 12 min, 3 h, 2 d."""
    seconds = int((now - _aware(moment)).total_seconds())
    if seconds < 0:
        return local_time(moment)
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds // size} {unit} ago"
    return f"{seconds // 86400} d ago"


def local_time(moment: datetime) -> str:
    """Spell a moment in the machine's time zone, to the second."""
    return _aware(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def local_moment(moment: datetime | None) -> str:
    """Spell a moment with its fraction: events may lie closer than a second."""
    if moment is None:
        return ""
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return local_time(moment) + fraction


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
