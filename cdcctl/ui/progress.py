"""Progress of an operation on stderr: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

from cdcctl.ui import console

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from cdcctl.operations.stack_clock import StackReading

HEARTBEAT_SECONDS = 60.0


class Progress(Protocol):
    """What an operation may say while it works."""

    def step(self, text: str) -> None:
        """Begin the next step; the one before it is done."""

    def advance(self, done: int, total: int | None = None) -> None:
        """Say how much of the current step is done."""

    def note(self, reading: StackReading) -> None:
        """Say what the current step is waiting for."""

    def paused(self) -> AbstractContextManager[None]:
        """Leave the terminal to a question."""


class SilentProgress:
    """Says nothing: `-q`, and callers that report in their own way."""

    def step(self, text: str) -> None:
        """Say nothing."""

    def advance(self, done: int, total: int | None = None) -> None:
        """Say nothing."""

    def note(self, reading: StackReading) -> None:
        """Say nothing."""

    def paused(self) -> AbstractContextManager[None]:
        """Do nothing: the terminal is free."""
        return nullcontext()


class LineProgress:
    """One line per step, and a sign of life each minute: a CI system ends a silent job."""

    def __init__(self) -> None:
        self._text = ""
        self._note = ""
        self._share = ""
        self._said_at = time.monotonic()
        self._folds = os.environ.get("GITHUB_ACTIONS") == "true"
        """GitHub folds what stands between two of its commands."""

    def step(self, text: str) -> None:
        """Print the step."""
        self.close()
        self._text, self._note, self._share = text, "", ""
        self._say(f"::group::{text}" if self._folds else text)

    def close(self) -> None:
        """End the step's fold."""
        if self._folds and self._text:
            self._say("::endgroup::")
            self._text = ""

    def advance(self, done: int, total: int | None = None) -> None:
        """Print how far the step is, at most once a minute."""
        self._share = _share(done, total)
        self.beat()

    def beat(self) -> None:
        """Print how far the step is when nothing was said for a minute."""
        if self._text and time.monotonic() - self._said_at >= HEARTBEAT_SECONDS:
            self._say(f"{self._text}: {self._share or 'at work'}{self._note}")

    def note(self, reading: StackReading) -> None:
        """Keep it for the next sign of life."""
        self._note = "".join(f"; {line}" for line in reading.lines())

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Give no sign of life between a question and its answer."""
        text, self._text = self._text, ""
        yield
        self._text = text

    def _say(self, text: str) -> None:
        self._said_at = time.monotonic()
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


@contextmanager
def beating(lines: LineProgress) -> Iterator[None]:
    """Have a sign of life given also while a step waits for one answer of AWS."""
    has_ended = threading.Event()

    def beat() -> None:
        while not has_ended.wait(min(HEARTBEAT_SECONDS, 1.0)):
            lines.beat()

    beats = threading.Thread(target=beat, name="heartbeat", daemon=True)
    beats.start()
    try:
        yield
    finally:
        has_ended.set()
        beats.join()


class LiveProgress:
    """A spinner and a bar for the current step; finished steps stay above it with their time."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self._text = ""
        self._began_at = time.monotonic()

    def step(self, text: str) -> None:
        """Close the current step and begin the next."""
        self.close()
        self._text = text
        self._began_at = time.monotonic()
        self._task = self._bars.add_task(text, total=None)

    def advance(self, done: int, total: int | None = None) -> None:
        """Move the bar of the current step."""
        if self._task is not None:
            self._bars.update(self._task, completed=done, total=total)

    def note(self, reading: StackReading) -> None:
        """Show it below the current step."""
        if self._task is not None:
            shown = "".join(f"\n  {line}" for line in reading.lines())
            self._bars.update(self._task, description=f"{self._text}{shown}")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """End the step, and take the bar away while a question is asked."""
        self.close()
        self._bars.stop()
        yield
        self._bars.start()

    def close(self) -> None:
        """Leave the finished step on the screen."""
        if self._task is None:
            return
        self._bars.remove_task(self._task)
        self._task = None
        seconds = time.monotonic() - self._began_at
        self._bars.console.print(
            f"[green]✔[/green] {_escaped(self._text)} [dim]{seconds:.1f} s[/dim]"
        )


@contextmanager
def open_progress(*, beats: bool = False) -> Iterator[Progress]:
    """Give the progress that fits where stderr goes.

    With `beats` a CI system hears of it each minute, whatever it waits for; a thread does that, so
    not where processes are forked meanwhile.
    """
    if console.is_quiet():
        yield SilentProgress()
        return
    if not console.is_animated():
        lines = LineProgress()
        with beating(lines) if beats else nullcontext():
            try:
                yield lines
            finally:
                lines.close()
        return
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console.stderr(), transient=True, refresh_per_second=4) as bars:
        live = LiveProgress(bars)
        yield live
        live.close()


def _share(done: int, total: int | None) -> str:
    return f"{done:,}" if not total else f"{done:,} of {total:,}"


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
