"""The terminal: colour, width, and where data and progress go."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Choices:
    """What the operator asked for on the command line."""

    color: bool = True
    quiet: bool = False
    interactive: bool = True


_choices = Choices()
_CONTROLS = {
    code: "\N{REPLACEMENT CHARACTER}"
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if chr(code) not in "\n\t"
}


def printable(text: str) -> str:
    """Replace what a terminal would obey: data is shown, never run."""
    return text.translate(_CONTROLS)


def on_one_line(text: str) -> str:
    """Put a text that comes from elsewhere on one line, each run of white space as a space."""
    return printable(" ".join(text.split()))


def configure(*, color: bool = True, quiet: bool = False, interactive: bool = True) -> None:
    """Set the process-wide switches of the command line."""
    global _choices
    _choices = Choices(color=color, quiet=quiet, interactive=interactive)


def is_quiet() -> bool:
    """Tell whether progress is unwanted."""
    return _choices.quiet


def may_ask() -> bool:
    """Tell whether a question would reach a person."""
    return _choices.interactive and sys.stdin.isatty() and sys.stderr.isatty()


def has_color(stream: TextIO) -> bool:
    """Tell whether colour is wanted on a stream: never off a terminal, nor with NO_COLOR."""
    if not _choices.color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def is_animated() -> bool:
    """Tell whether progress may redraw lines on stderr."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not _choices.quiet


def stdout() -> Console:
    """Open the console for data."""
    return _console(sys.stdout)


def stderr() -> Console:
    """Open the console for progress, warnings and questions."""
    return _console(sys.stderr)


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    color = has_color(stream)
    return Console(
        file=stream,
        color_system="auto" if color else None,
        no_color=not color,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )


class _Screen(io.StringIO):
    """Takes a screen that may be longer than the terminal."""

    def isatty(self) -> bool:
        """Be drawn on like the terminal it stands for."""
        return True


@contextmanager
def paged() -> Iterator[None]:
    """Show what is longer than the terminal through the pager; only where a person reads."""
    command = os.environ.get("PAGER", "less -RFX")
    if not (may_ask() and sys.stdout.isatty() and command and "NO_PAGER" not in os.environ):
        yield
        return
    terminal, sys.stdout = sys.stdout, _Screen()
    try:
        yield
        text = sys.stdout.getvalue()
    finally:
        sys.stdout = terminal
    if text.count("\n") < shutil.get_terminal_size().lines:
        terminal.write(text)
        return
    import pydoc

    pydoc.pipepager(text, command)


def warn(text: str) -> None:
    """Print a warning on stderr."""
    mark = "\x1b[33mwarning:\x1b[0m" if has_color(sys.stderr) else "warning:"
    sys.stderr.write(f"{mark} {text}\n")
