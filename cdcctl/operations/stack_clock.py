"""How long the slow resources of a stack have taken, and how long the rest is likely to take."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from cdcctl.aws.cloudformation import StackEvent
from cdcctl.operations.durations import Durations, Usual

_NAMED = re.compile(r"\$\{(\w+)[.}]")


@dataclass(frozen=True)
class TimedEvent(StackEvent):
    """An event with what it took, once it has ended, and what it usually takes."""

    took_seconds: float | None = None
    usual_seconds: float | None = None


@dataclass(frozen=True)
class SlowResource:
    """A resource that is at work, and takes minutes."""

    name: str
    status: str
    elapsed_seconds: float
    usual_seconds: float
    is_critical: bool = False
    """Whether all that is left to do waits for it."""


@dataclass(frozen=True)
class StackReading:
    """What an operation on a stack waits for at a moment."""

    slow: tuple[SlowResource, ...]
    """The slowest first."""
    minutes_left: tuple[int, int] | None = None
    """Between how many minutes the rest is likely to take."""

    def lines(self) -> list[str]:
        """Tell it line by line."""
        told = [
            f"{each.name} {minutes(each.elapsed_seconds)}, usually {minutes(each.usual_seconds)}"
            for each in self.slow
        ]
        if self.minutes_left is not None:
            low, high = self.minutes_left
            told.append(f"about {low} to {high} min left")
        return told


class StackClock:
    """Follows one operation by its events; made for a template it knows what is still to begin."""

    def __init__(
        self,
        resources: Mapping[str, Any] | None = None,
        made: Iterable[str] = (),
        durations: Durations | None = None,
    ) -> None:
        """Take the template's resources, the ids of those that are made anew, and what is usual."""
        held = resources or {}
        self._durations = durations or Durations()
        self._needs = {name: set(_named_in(each)) & held.keys() for name, each in held.items()}
        self._usual = {
            name: self._durations.usual(held[name]["Type"]) for name in made if name in held
        }
        self._began: dict[str, tuple[str, datetime]] = {}
        """Status and time of what is at work."""
        self._done: set[str] = set()

    def see(self, event: StackEvent) -> TimedEvent:
        """Take the next event; give it with its times."""
        name = event.logical_id
        if "ROLLBACK" in event.status or event.status.startswith("DELETE"):
            # What is taken back, or cleaned up, is no creation any more.
            self._usual.clear()
        if event.status == "CREATE_IN_PROGRESS":
            self._usual.setdefault(name, self._durations.usual(event.type))
        took: float | None = None
        if event.status.endswith("_IN_PROGRESS"):
            if self._began.get(name, ("",))[0] != event.status:
                self._began[name] = (event.status, event.at)
        else:
            took = self._took(event)
            self._began.pop(name, None)
            self._done.add(name)
        usual = self._usual.get(name, Usual()).middle
        return TimedEvent(**vars(event), took_seconds=took, usual_seconds=usual or None)

    def _took(self, event: StackEvent) -> float | None:
        """Give how long what has ended took; a creation is remembered."""
        status, began = self._began.get(event.logical_id, ("", event.at))
        verb, _, ending = event.status.rpartition("_")
        if not status.startswith(f"{verb}_") or ending not in {"COMPLETE", "FAILED"}:
            return None
        took = max((event.at - began).total_seconds(), 0.0)
        if event.status == "CREATE_COMPLETE" and event.type != "AWS::CloudFormation::Stack":
            self._durations.add(event.type, event.id, took)
        return took

    def left_seconds(self, now: datetime) -> float:
        """Give the longest way through what is not done yet, each resource after what it needs."""
        return self._longest_way(now, lambda usual: usual.middle)[0]

    def reading(self, now: datetime) -> StackReading:
        """Tell the slow resources that are at work, the slowest first, and the time left."""
        left, critical = self._longest_way(now, lambda usual: usual.middle)
        slow = (
            SlowResource(
                name,
                status,
                self._elapsed(name, now),
                self._usual[name].middle,
                is_critical=left > 0 and name == critical,
            )
            for name, (status, _) in self._began.items()
            if self._usual.get(name, Usual()).middle
        )
        ordered = sorted(slow, key=lambda each: each.elapsed_seconds - each.usual_seconds)
        if left < 60:
            return StackReading(tuple(ordered))
        low = self._longest_way(now, lambda usual: usual.low)[0]
        high = self._longest_way(now, lambda usual: usual.high)[0]
        return StackReading(tuple(ordered), (max(round(low / 60), 1), max(round(high / 60), 1)))

    def _longest_way(
        self, now: datetime, seconds_of: Callable[[Usual], float]
    ) -> tuple[float, str | None]:
        """Give the seconds of the longest way, and what is at work on it."""

        @cache
        def until_made(name: str) -> tuple[float, str | None]:
            if name in self._done:
                return 0.0, None
            own = seconds_of(self._usual.get(name, Usual())) - self._elapsed(name, now)
            before, working = _longest(map(until_made, self._needs.get(name, ())))
            at_work = name if name in self._began else None
            return max(own, 0.0) + before, working or at_work

        return _longest(map(until_made, self._usual))

    def _elapsed(self, name: str, now: datetime) -> float:
        began = self._began.get(name)
        return max((now - began[1]).total_seconds(), 0.0) if began is not None else 0.0


def _longest(ways: Iterable[tuple[float, str | None]]) -> tuple[float, str | None]:
    return max(ways, default=(0.0, None), key=lambda way: way[0])


def minutes(seconds: float) -> str:
    """Spell a span as minutes and seconds."""
    whole, rest = divmod(int(seconds), 60)
    return f"{whole}:{rest:02d}"


def _named_in(part: Any) -> Iterator[str]:
    """Name what a part of a template refers to: Ref, GetAtt, Sub and DependsOn."""
    match part:
        case str():
            yield from _NAMED.findall(part)
        case list():
            for each in part:
                yield from _named_in(each)
        case dict():
            for key, value in part.items():
                if key in {"Ref", "DependsOn", "Fn::GetAtt"}:
                    first = value[:1] if key == "Fn::GetAtt" and isinstance(value, list) else value
                    for each in first if isinstance(first, list) else [first]:
                        yield each.partition(".")[0]
                else:
                    yield from _named_in(value)
