"""The lake as a pure fold of the accepted events: order, states, versions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from glue_job.contract.model import Table
from tests.oracle.events import (
    Event,
    Key,
    Position,
)

State = Mapping[str, Any] | None
"""The values of a key, None while it has no row (never seen, or deleted)."""

Coordinate = tuple[int, int]


def merge_deliveries(deliveries: Iterable[Event]) -> Event:
    """The lowest (partition, offset) gives the values, the smallest timestamp is the emission."""
    ordered = sorted(deliveries, key=lambda event: event.coordinate)
    return replace(ordered[0], emission=min(event.emission for event in ordered))


@dataclass(frozen=True)
class Entry:
    """What an event is on one key's line; a key change is two: a close and an open."""

    event: Event
    key: Key
    half: str = "whole"

    @property
    def deletes(self) -> bool:
        """Tell whether the key has no row after it."""
        return self.half == "close" or self.event.operation == "delete"


def entries_of(event: Event) -> Iterator[Entry]:
    """A key change is two entries: a close under the old key and an open under the new one."""
    if event.changes_key:
        yield Entry(event, event.old_key, "close")
        yield Entry(event, event.key, "open")
    else:
        yield Entry(event, event.key)


@dataclass(frozen=True)
class Placed:
    """An entry at its place on the key's line."""

    entry: Entry
    after: Position | None
    """The CDC position it stands at (CDC) or directly behind (load); None before all of them."""
    time: datetime
    """Effective time."""

    @property
    def order(self) -> tuple[Any, ...]:
        """Sort key over all keys: a load stands behind its CDC event, two loads by timestamp."""
        if self.after is None:
            return (0, self.entry.event.time)
        if self.entry.event.is_load:
            return (1, self.after, 1, self.entry.event.time)
        return (1, self.after, 0)


def place(entries: Iterable[Entry]) -> list[Placed]:
    """Put one key's entries in order and give each its effective time."""
    entries = list(entries)
    changes = sorted(
        (entry for entry in entries if not entry.event.is_load),
        # Of two events at one place that share a key, the one that leaves the key is the last.
        key=lambda entry: (entry.event.position, entry.half == "close"),
    )
    line = [Placed(entry, entry.event.position, entry.event.time) for entry in changes]
    line += [place_load(entry, changes) for entry in entries if entry.event.is_load]
    return sorted(line, key=lambda placed: placed.order)


def place_load(load: Entry, changes: list[Entry]) -> Placed:
    """A load stands directly after the last CDC event, in CDC order, that was emitted before it.

    Else before all of them. Its effective time is the later of its own timestamp and the effective
    time of the event it follows.
    """
    earlier = [entry for entry in changes if entry.event.emission <= load.event.emission]
    if not earlier:
        return Placed(load, None, load.event.time)
    followed = earlier[-1].event
    return Placed(load, followed.position, max(load.event.time, followed.time))


def hidden_since(index: int, line: list[Placed]) -> datetime | None:
    """A load shows only until the effective time of the next CDC event, never if that is not later.

    Gives the time of that event for a load that never shows, None for whatever shows.
    """
    if not line[index].entry.event.is_load:
        return None
    following = (placed for placed in line[index + 1 :] if not placed.entry.event.is_load)
    next_change = next(following, None)
    if next_change is None or next_change.time > line[index].time:
        return None
    return next_change.time


def fold_states(lines: Mapping[Key, list[Placed]], table: Table) -> dict[Key, list[State]]:
    """Give the state of every key after each of its entries, hidden ones included.

    All keys go in one order, because an `open` takes the old key's state at its own position.
    """
    now: dict[Key, State] = {}
    given_up: dict[Position, State] = {}
    states: dict[Key, list[State]] = {key: [] for key in lines}
    everything = [placed for line in lines.values() for placed in line]
    for placed in sorted(
        everything, key=lambda placed: (placed.order, placed.entry.half == "open")
    ):
        entry = placed.entry
        if entry.half == "close":
            given_up[entry.event.position] = now.get(entry.key)
        base = given_up[entry.event.position] if entry.half == "open" else now.get(entry.key)
        now[entry.key] = None if entry.deletes else state_after(entry.event, base, table)
        states[entry.key].append(now[entry.key])
    return states


def state_after(event: Event, base: State, table: Table) -> State:
    """C22: an absent field carries the value before, not over a delete; null is null.

    Of a key change: absent fields of the new key take the old key's state at that position, null
    when it has none.
    """
    carried = base or {}
    return {
        name: event.values.get(name, carried.get(name))
        if name not in event.values
        else event.values[name]
        for name in table.column_names
    }


@dataclass(frozen=True)
class Moment:
    """The net effect of all entries of a key at one effective time."""

    time: datetime
    state: State
    last: Entry


@dataclass
class Version:
    """One row of the history table; `moments` is the run of no-ops it stands for."""

    start: datetime
    end: datetime | None
    state: Mapping[str, Any]
    moments: list[Moment] = field(default_factory=list)


@dataclass(frozen=True)
class Timeline:
    """All that shows of one key."""

    moments: tuple[Moment, ...] = ()
    versions: tuple[Version, ...] = ()
    hidden: tuple[tuple[Entry, datetime], ...] = ()
    """Loads that do not show, each with the time of the change that hides it."""

    def version_at(self, time: datetime) -> Version | None:
        """Find the row whose [from, to) holds the time."""
        for version in self.versions:
            if version.start <= time and (version.end is None or time < version.end):
                return version
        return None

    def has_boundary(self, time: datetime) -> bool:
        """Tell whether a row starts or ends at the time."""
        return any(time in (version.start, version.end) for version in self.versions)


def net_moments(line: list[Placed], states: list[State]) -> list[Moment]:
    """Several changes of a key at one effective time show as the last of them."""
    moments: dict[datetime, Moment] = {}
    for index, (placed, state) in enumerate(zip(line, states, strict=True)):
        if hidden_since(index, line) is None:
            moments[placed.time] = Moment(placed.time, state, placed.entry)
    return sorted(moments.values(), key=lambda moment: moment.time)


def tracked(state: State, table: Table) -> tuple[Any, ...] | None:
    """C7: the columns whose change opens a version."""
    if state is None:
        return None
    return tuple(state[name] for name in table.column_names if name not in table.ignore_columns)


def build_timeline(line: list[Placed], states: list[State], table: Table) -> Timeline:
    """C1-C14: open, close, or let the run go on; no zero-width rows."""
    moments = net_moments(line, states)
    versions: list[Version] = []
    is_open = False
    for moment in moments:
        if is_open and tracked(moment.state, table) == tracked(versions[-1].state, table):
            assert moment.state is not None
            versions[-1].state = moment.state  # C7: the row shows the latest untracked values
            versions[-1].moments.append(moment)
            continue
        if is_open:
            versions[-1].end = moment.time
        is_open = moment.state is not None
        if moment.state is not None:
            versions.append(Version(moment.time, None, moment.state, [moment]))
    since = [(placed.entry, hidden_since(index, line)) for index, placed in enumerate(line)]
    hidden = tuple((entry, time) for entry, time in since if time is not None)
    return Timeline(tuple(moments), tuple(versions), hidden)


@dataclass(frozen=True)
class Lake:
    """What a set of accepted events makes of the table, whatever order they came in."""

    table: Table
    timelines: Mapping[Key, Timeline] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Table, events: Iterable[Event]) -> Lake:
        """Fold the events, each already merged from its deliveries."""
        entries: dict[Key, list[Entry]] = defaultdict(list)
        for event in events:
            for entry in entries_of(event):
                entries[entry.key].append(entry)
        lines = {key: place(of_key) for key, of_key in entries.items()}
        states = fold_states(lines, table)
        return cls(
            table, {key: build_timeline(line, states[key], table) for key, line in lines.items()}
        )

    def timeline(self, key: Key) -> Timeline:
        """Give a key's line; an empty one for a key nobody has heard of."""
        return self.timelines.get(key, Timeline())

    @property
    def history(self) -> list[dict[str, Any]]:
        """Give the rows of the history table."""
        return [
            {
                **version.state,
                "_effective_from": version.start,
                "_effective_to": version.end,
                "_is_current": version.end is None,
            }
            for timeline in self.timelines.values()
            for version in timeline.versions
        ]

    @property
    def deletions(self) -> set[tuple[Key, datetime]]:
        """Name the (key, time) pairs after which the key has no row."""
        return {
            (key, moment.time)
            for key, timeline in self.timelines.items()
            for moment in timeline.moments
            if moment.state is None
        }
