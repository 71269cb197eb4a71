"""How long the slow resources of a stack have taken, and how long the rest is likely to take."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from cdcctl.aws.cloudformation import StackEvent

USUAL_SECONDS = {
    "AWS::MSK::Cluster": 1833,
    "AWS::DMS::ReplicationInstance": 778,
    "AWS::RDS::DBInstance": 612,
    "AWS::EC2::NatGateway": 120,
}
"""What a creation usually takes; the other types take seconds."""
_SPREAD = (0.8, 1.3)
"""Creations differ from one another: what is left is told as a span."""
_NAMED = re.compile(r"\$\{(\w+)[.}]")


class StackClock:
    """Follows one operation by its events; made for a template it knows what is still to begin."""

    def __init__(
        self, resources: Mapping[str, Any] | None = None, made: Iterable[str] = ()
    ) -> None:
        """Take the template's resources, and the ids of those that are made anew."""
        held = resources or {}
        self._needs = {name: set(_named_in(each)) & held.keys() for name, each in held.items()}
        self._usual = {
            name: float(USUAL_SECONDS.get(held[name]["Type"], 0)) for name in made if name in held
        }
        self._began: dict[str, datetime] = {}
        self._done: set[str] = set()

    def see(self, event: StackEvent) -> None:
        """Take the next event."""
        name = event.logical_id
        if "ROLLBACK" in event.status or event.status.startswith("DELETE"):
            # What is taken back, or cleaned up, is no creation any more.
            self._usual.clear()
        if event.status == "CREATE_IN_PROGRESS":
            self._usual.setdefault(name, float(USUAL_SECONDS.get(event.type, 0)))
        if event.status.endswith("_IN_PROGRESS"):
            self._began.setdefault(name, event.at)
        else:
            self._began.pop(name, None)
            self._done.add(name)

    def left_seconds(self, now: datetime) -> float:
        """Give the longest way through what is not done yet, each resource after what it needs."""

        @cache
        def until_made(name: str) -> float:
            if name in self._done:
                return 0.0
            own = max(self._usual.get(name, 0.0) - self._elapsed(name, now), 0.0)
            return own + max(map(until_made, self._needs.get(name, ())), default=0.0)

        return max(map(until_made, self._usual), default=0.0)

    def lines(self, now: datetime) -> list[str]:
        """Tell the slow resources that are at work, the slowest first, and the time left."""
        slow = sorted(
            (name for name in self._began if self._usual.get(name)),
            key=lambda name: self._elapsed(name, now) - self._usual[name],
        )
        told = [
            f"{name} {_minutes(self._elapsed(name, now))}, usually {_minutes(self._usual[name])}"
            for name in slow
        ]
        left = self.left_seconds(now)
        if left >= 60:
            low, high = (max(round(left * share / 60), 1) for share in _SPREAD)
            told.append(f"about {low} to {high} min left")
        return told

    def _elapsed(self, name: str, now: datetime) -> float:
        began = self._began.get(name)
        return max((now - began).total_seconds(), 0.0) if began is not None else 0.0


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


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
