"""The live screen of a deploy: its phases, what is at work, and what is left."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rich.console import Group
from rich.text import Text

from cdcctl.operations.deploy_phases import DeployHeading
from cdcctl.operations.stack_clock import SlowResource, StackReading, TimedEvent, minutes
from cdcctl.operations.stack_failure import is_cause
from cdcctl.ui.console import on_one_line, printable

_AREAS = {
    "EC2": "network",
    "S3": "storage",
    "KMS": "storage",
    "SecretsManager": "storage",
    "IAM": "iam",
    "RDS": "database",
    "MSK": "kafka",
    "DMS": "dms",
    "Lambda": "lambda",
    "Glue": "glue",
    "Athena": "glue",
}
_OTHER_AREA = "other"
_SHOWN = 6
_BESIDE_NAME = 60
"""Columns that a line of a resource needs beside its name."""
_DETACHES = "Ctrl-C detaches, nothing stops"
_DONE, _WORKING, _TO_COME, _FAILED = "✔", "▸", "·", "✖"


@dataclass
class DeployState:
    """What the screen shows; the deploy changes it, and the screen is drawn from it."""

    clock: Callable[[], float] = time.monotonic
    heading: DeployHeading | None = None
    verb: str = "deploy"
    phase: str = ""
    has_failed: bool = False
    text: str = ""
    """What the deploy is about now."""
    share: str = ""
    """How much of the stack is done."""
    reading: StackReading = field(default_factory=lambda: StackReading(()))
    planned: dict[str, str] = field(default_factory=dict)
    """Area by the resources that the stack is to change."""
    done: set[str] = field(default_factory=set)
    failed: dict[str, TimedEvent] = field(default_factory=dict)
    is_taken_back: bool = False
    last: str = ""
    began_at: float = field(init=False)
    text_began_at: float = field(init=False)

    def __post_init__(self) -> None:
        """Begin to count the time."""
        self.began_at = self.text_began_at = self.clock()

    def say(self, text: str) -> None:
        """Take what the deploy is about now."""
        self.text, self.text_began_at = text, self.clock()
        self.reading = StackReading(())

    def see(self, event: TimedEvent) -> None:
        """Take a resource's change of state."""
        self.is_taken_back = self.is_taken_back or "ROLLBACK" in event.status
        if is_cause(event):
            self.failed.setdefault(event.logical_id, event)
        elif event.status == "DELETE_COMPLETE" and self.is_taken_back:
            self.done.discard(event.logical_id)
        elif event.status.endswith("_COMPLETE"):
            self.done.add(event.logical_id)
        took = f" ({minutes(event.took_seconds)})" if event.took_seconds else ""
        self.last = f"{local_time(event.at)} {event.logical_id} {event.status}{took}"


def local_time(moment: datetime) -> str:
    """Spell a moment as the operator's clock shows it."""
    return f"{moment.astimezone():%H:%M:%S}"


def area_of(kind: str) -> str:
    """Give the part of the pipeline that a type of resource belongs to."""
    return _AREAS.get(kind.split("::")[1] if "::" in kind else "", _OTHER_AREA)


def drawn(state: DeployState, width: int) -> Group:
    """Draw the screen for so many columns; no line is longer."""
    lines = [*_header(state, width), *_phases(state, width)]
    lines += _areas(state, width)
    lines += [
        Text(f"{_FAILED} {name}  {event.status}  {on_one_line(event.reason)}", style="red")
        for name, event in [*state.failed.items()][:_SHOWN]
    ]
    lines += [_slow(each, width) for each in state.reading.slow[:_SHOWN]]
    if not (state.reading.slow or state.has_failed) and state.text:
        passed = minutes(state.clock() - state.text_began_at)
        lines.append(Text(f"{_WORKING} {printable(state.text)}  {passed}"))
    lines += _footer(state, width)
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(*lines)


def _header(state: DeployState, width: int) -> Iterator[Text]:
    heading = state.heading
    if heading is None:
        return
    account = f"{heading.account[:4]}…{heading.account[-4:]}"
    verb = "rollback" if state.is_taken_back else state.verb
    left = " · ".join((heading.stack, heading.region, account, verb))
    passed = minutes(state.clock() - state.began_at)
    right = f"{passed}{_left(state.reading)}  {place_of(heading.phases, state.phase)}"
    yield from (Text(line, style="bold") for line in _apart(left, right, width))


def place_of(phases: Sequence[str], phase: str) -> str:
    """Spell which of the phases it is."""
    return f"[{phases.index(phase) + 1}/{len(phases)} {phase}]" if phase in phases else ""


def _left(reading: StackReading) -> str:
    if reading.minutes_left is None:
        return ""
    low, high = reading.minutes_left
    return f" / ~{low}–{high} min left" if low != high else f" / ~{low} min left"


def _phases(state: DeployState, width: int) -> Iterator[Text]:
    if state.heading is None:
        return
    phases = state.heading.phases
    at = phases.index(state.phase) if state.phase in phases else -1
    told = [_phase(state, phase, number - at) for number, phase in enumerate(phases)]
    lines = [*_filled(told, width)]
    yield from lines if len(lines) == 1 else _filled(told, width, " ")


def _phase(state: DeployState, phase: str, distance: int) -> Text:
    if distance < 0:
        return Text(f"{_DONE} {phase}", style="green")
    if distance > 0:
        return Text(f"{_TO_COME} {phase}", style="dim")
    share = f" {_share(state)}".rstrip() if phase == "stack" else ""
    if state.has_failed:
        return Text(f"{_FAILED} {phase}{share}", style="bold red")
    return Text(f"{_WORKING} {phase}{share}", style="bold")


def _share(state: DeployState) -> str:
    """Spell how much of the stack is done: of what was planned, else as it was told."""
    if not state.planned:
        return state.share
    return f"{len(state.done & state.planned.keys())}/{len(state.planned)}"


def _areas(state: DeployState, width: int) -> Iterator[Text]:
    """Count what is done in each part of the pipeline, while its stack is at work."""
    if state.phase != "stack" or not state.planned:
        return
    wanted = Counter(state.planned.values())
    done = Counter(area for name, area in state.planned.items() if name in state.done)
    areas = [*dict.fromkeys(_AREAS.values()), _OTHER_AREA]
    told = []
    for area in (area for area in areas if wanted[area]):
        is_done = done[area] == wanted[area]
        mark = f"{_DONE} " if is_done else ""
        style = "green" if is_done else ""
        told.append(Text(f"{area} {mark}{done[area]}/{wanted[area]}", style=style))
    yield from (Text("  ").append_text(line) for line in _filled(told, width - 2))


def _slow(each: SlowResource, width: int) -> Text:
    room = max(width - _BESIDE_NAME, 10)
    name = each.name if len(each.name) <= room else f"{each.name[: room - 1]}…"
    line = Text(f"{_WORKING} {name:<{room}} {each.status:<18}")
    line.append(f" {minutes(each.elapsed_seconds):>6}")
    line.append(f"  usually {minutes(each.usual_seconds):>5}", style="dim")
    if each.is_critical:
        line.append("  ◄ critical path", style="yellow")
    return line


def _footer(state: DeployState, width: int) -> Iterator[Text]:
    last = f"last: {state.last}" if state.last else ""
    lines = (last,) if state.has_failed else _apart(last, _DETACHES, width)
    yield from (Text(line, style="dim") for line in lines if line)


def _apart(left: str, right: str, width: int) -> tuple[str, ...]:
    """Put one at the left and one at the right end; of two lines where they do not fit."""
    if len(left) + 2 + len(right) <= width:
        return (f"{left}{right:>{width - len(left)}}",)
    return left, f"{right:>{width}}"


def _filled(parts: Sequence[Text], width: int, between: str = "  ") -> Iterator[Text]:
    """Put as many parts on a line as fit."""
    line = Text()
    for part in parts:
        if line and len(line) + len(between) + len(part) > width:
            yield line
            line = Text()
        line = Text(between).join((line, part)) if line else part
    yield line
