"""Tells how a deploy goes on: on a terminal by a live screen, elsewhere line by line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live

from cdcctl.operations.deploy import Plan
from cdcctl.operations.deploy_phases import DeployHeading
from cdcctl.operations.run_control import StepReport
from cdcctl.operations.stack_clock import StackReading, TimedEvent
from cdcctl.ui import console
from cdcctl.ui.deploy import EventLines, say_event
from cdcctl.ui.deploy_screen import DeployState, area_of, drawn, place_of
from cdcctl.ui.progress import LineProgress, Progress, SilentProgress, beating


class DeployWatch(Progress, Protocol):
    """Is told how a deploy goes on."""

    heading: DeployHeading | None

    def begin(self, heading: DeployHeading) -> None:
        """Take where the deploy works, and its phases."""

    def phase(self, name: str) -> None:
        """Begin the next phase; the one before it is done."""

    def planned(self, plan: Plan) -> None:
        """Take what the stack is to change."""

    def resource(self, event: TimedEvent) -> None:
        """Take a resource's change of state."""

    def finished(self, step: StepReport) -> None:
        """Take what a step did."""

    def warn(self, text: str) -> None:
        """Say what is odd, and harmless."""

    def sign_in(self, command: str) -> bool:
        """Ask to sign in again; tell whether it was done."""


class _Told:
    """Writes events where they are wanted."""

    def __init__(self, events: EventLines | None) -> None:
        super().__init__()
        self._events = events
        self.heading: DeployHeading | None = None

    def begin(self, heading: DeployHeading) -> None:
        """Keep where it works, and its phases."""
        self.heading = heading

    def resource(self, event: TimedEvent) -> None:
        """Write the change of state."""
        if self._events is not None:
            self._events.resource(event)

    def finished(self, step: StepReport) -> None:
        """Write what the step did."""
        if self._events is not None:
            self._events.step(step)

    def sign_in(self: Progress, command: str) -> bool:
        """Ask to sign in again, the terminal being free meanwhile; off one nobody does."""
        if not console.may_ask():
            return False
        with self.paused():
            sys.stderr.write(
                "AWS does not take these credentials any more; what it has begun goes on.\n"
                f"Sign in again in another terminal: {command}\n"
                "Then press Enter here (Ctrl-C detaches): "
            )
            sys.stderr.flush()
            return bool(sys.stdin.readline())


class _Undrawn(_Told):
    """Says nothing but warnings."""

    def phase(self, name: str) -> None:
        """Say nothing."""

    def planned(self, plan: Plan) -> None:
        """Say nothing: the plan is shown as it is confirmed."""

    def warn(self, text: str) -> None:
        """Print it."""
        console.warn(text)


class SilentDeploy(_Undrawn, SilentProgress):
    """Says nothing but warnings: `-q`."""


class DeployLines(_Undrawn, LineProgress):
    """One line a step and a change of state, each step with its phase."""

    _phase = ""

    def phase(self, name: str) -> None:
        """Keep the phase for the next step."""
        self._phase = name

    def step(self, text: str) -> None:
        """Print the step and its phase."""
        phases = self.heading.phases if self.heading is not None else ()
        super().step(f"{text}  {place_of(phases, self._phase)}".rstrip())

    def resource(self, event: TimedEvent) -> None:
        """Print the change of state, or write it as an event."""
        super().resource(event)
        if self._events is None:
            say_event(event)

    def finished(self, step: StepReport) -> None:
        """Print what the step did, or write it as an event."""
        super().finished(step)
        if self._events is None:
            detail = f" ({step.detail})" if step.detail else ""
            sys.stderr.write(f"{step.step}: {step.status}{detail}\n")


class DeployScreen(_Told):
    """Draws the state of the deploy, four times a second."""

    def __init__(self, out: Console, events: EventLines | None) -> None:
        super().__init__(events)
        self._out = out
        self.state = DeployState()
        self._live: Live | None = None

    def _drawn(self) -> Group:
        return drawn(self.state, self._out.width)

    def begin(self, heading: DeployHeading) -> None:
        """Show where it works."""
        super().begin(heading)
        self.state.heading = heading

    def phase(self, name: str) -> None:
        """Go on to the phase."""
        self.state.phase = name

    def planned(self, plan: Plan) -> None:
        """Count what is to be done, part by part."""
        self.state.verb = "create" if plan.is_new else "update"
        self.state.planned = {each["id"]: area_of(each["type"]) for each in plan.changes}
        # What the remains of a failed creation, or the assets bucket, have told is not of the plan.
        self.state.done.clear()
        self.state.failed.clear()
        self.state.is_taken_back = False

    def step(self, text: str) -> None:
        """Show what it is about now."""
        self.state.say(text)

    def advance(self, done: int, total: int | None = None) -> None:
        """Show how much of the stack is done."""
        self.state.share = f"{done}/{total}" if total else str(done)

    def note(self, reading: StackReading) -> None:
        """Show what it waits for."""
        self.state.reading = reading

    def resource(self, event: TimedEvent) -> None:
        """Show it as the last thing that happened."""
        super().resource(event)
        self.state.see(event)

    def warn(self, text: str) -> None:
        """Print it above the screen."""
        self._out.print(f"warning: {text}", markup=False)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the screen away while a question is asked; for good when that ends the deploy."""
        self.close()
        yield
        self.open()

    def open(self) -> None:
        """Begin to draw; a Live that was stopped would draw over what came after it."""
        self._live = Live(
            get_renderable=self._drawn, console=self._out, refresh_per_second=4, transient=True
        )
        self._live.start()

    def close(self) -> None:
        """Take the screen away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def freeze(self, *, has_failed: bool) -> None:
        """Leave the last state on the terminal, below which the failure is told."""
        self.state.has_failed = has_failed
        if self._live is not None:
            self._live.transient = False


@contextmanager
def open_deploy_watch(events: EventLines | None) -> Iterator[DeployWatch]:
    """Give what fits where stderr goes; `events` takes each event as a line of JSON."""
    if console.is_quiet():
        yield SilentDeploy(events)
        return
    if not console.is_animated():
        lines = DeployLines(events)
        with beating(lines):
            try:
                yield lines
            finally:
                lines.close()
        return
    screen = DeployScreen(console.stderr(), events)
    screen.open()
    try:
        yield screen
    except BaseException as error:
        screen.freeze(has_failed=isinstance(error, Exception))
        raise
    finally:
        screen.close()
