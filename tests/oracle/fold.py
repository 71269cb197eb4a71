"""The lake as semantics.md section 1 says it: a pure fold of the accepted events, one function per
sentence.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from glue_job.contract.model import Table
from tests.oracle.events import (
    Event,
    Key,
    Message,
    Position,
    Refused,
    Skipped,
    Source,
    read_message,
)

State = Mapping[str, Any] | None
"""The values of a key, None while it has no row (never seen, or deleted)."""

Coordinate = tuple[int, int]


# --- events -------------------------------------------------------------------------------------


def merge_deliveries(deliveries: Iterable[Event]) -> Event:
    """Of several deliveries the lowest (partition, offset) gives the values, the smallest timestamp
    is its emission.
    """
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
    """ "a before-image with another key is two entries, a close under the old key and an open under
    the new one".
    """
    if event.changes_key:
        yield Entry(event, event.old_key, "close")
        yield Entry(event, event.key, "open")
    else:
        yield Entry(event, event.key)


# --- order and time -----------------------------------------------------------------------------


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
        key=lambda entry: entry.event.position,
    )
    line = [Placed(entry, entry.event.position, entry.event.time) for entry in changes]
    line += [place_load(entry, changes) for entry in entries if entry.event.is_load]
    return sorted(line, key=lambda placed: placed.order)


def place_load(load: Entry, changes: list[Entry]) -> Placed:
    """ "directly after the last CDC event (in CDC order) of its key whose emission is <= the
    load's".

    "else before all of them. Its effective time is the later of its own timestamp and the effective
    time of the
    event it follows."
    """
    earlier = [entry for entry in changes if entry.event.emission <= load.event.emission]
    if not earlier:
        return Placed(load, None, load.event.time)
    followed = earlier[-1].event
    return Placed(load, followed.position, max(load.event.time, followed.time))


def hidden_since(index: int, line: list[Placed]) -> datetime | None:
    """ "It shows only until the effective time of the next CDC event; if that is not later it never
    shows": give the time of that event, None for whatever shows.
    """
    if not line[index].entry.event.is_load:
        return None
    following = (placed for placed in line[index + 1 :] if not placed.entry.event.is_load)
    next_change = next(following, None)
    if next_change is None or next_change.time > line[index].time:
        return None
    return next_change.time


# --- states -------------------------------------------------------------------------------------


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
    """C22: "in an update absent carries the previous version's value (not over a delete) ... null
    is null".

    Of a key change: "absent fields of the new key take the old key's state at that position (null
    when it has none)".
    """
    carried = base or {}
    return {
        name: event.values.get(name, carried.get(name))
        if name not in event.values
        else event.values[name]
        for name in table.column_names
    }


# --- versions -----------------------------------------------------------------------------------


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
    """ "What shows is the net effect at one effective time: several changes of a key ... show as
    the last of them".
    """
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
    """C1-C14: open, close, or let the run go on; "No zero-width rows"."""
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


# --- outcomes -----------------------------------------------------------------------------------


def outcome_of(event: Event, before: Lake, after: Lake) -> str:
    """Outcome of an event placed by this batch; a key change counts by both halves, the new key
    leading.
    """
    outcomes = [
        outcome_of_entry(entry, before.timeline(entry.key), after.timeline(entry.key), after.table)
        for entry in entries_of(event)
    ]
    return "applied" if "applied" in outcomes else outcomes[-1]


def outcome_of_entry(entry: Entry, before: Timeline, after: Timeline, table: Table) -> str:
    """`applied` = "it changed some version", `superseded` = "stale load, or not the last of its
    transaction".
    """
    moment = next((moment for moment in after.moments if moment.last == entry), None)
    if moment is None:
        return "superseded"
    return "applied" if changed_some_version(moment, before, after, table) else "unchanged"


def changed_some_version(moment: Moment, before: Timeline, after: Timeline, table: Table) -> bool:
    """ "Counted as seen when its batch was written": what stands at that time now against what
    stood there before.
    """
    old, new = before.version_at(moment.time), after.version_at(moment.time)
    if before.has_boundary(moment.time) or after.has_boundary(moment.time):
        was = (before.has_boundary(moment.time), tracked(old.state if old else None, table))
        now = (after.has_boundary(moment.time), tracked(new.state if new else None, table))
        if was != now:
            return True
    if made_a_load_vanish(moment, before, after):
        return True
    if new is None or new.moments[-1] != moment:
        return False
    lent_by_earlier = len(new.moments) > 1 and new.moments[-2].state == moment.state
    return not lent_by_earlier and (old is None or old.state != new.state)


def made_a_load_vanish(moment: Moment, before: Timeline, after: Timeline) -> bool:
    """ "or vanishes if it already did" show: the change that hides a load changed its version."""
    hides = [entry for entry, time in after.hidden if time == moment.time]
    shown = [of_load.time for of_load in before.moments if of_load.last in hides]
    return any(before.has_boundary(time) for time in shown)


# --- the lake -----------------------------------------------------------------------------------


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


@dataclass(frozen=True)
class BatchResult:
    """What one batch came to."""

    outcome_of: Mapping[Coordinate, str]

    @property
    def consumed(self) -> int:
        """Count the distinct coordinates."""
        return len(self.outcome_of)

    @property
    def outcomes(self) -> Counter[str]:
        """Count the messages by outcome."""
        return Counter(self.outcome_of.values())


@dataclass
class Judge:
    """Takes one table's batches in turn and knows what the lake must hold after each."""

    source: Source
    deliveries: dict[tuple[Any, ...], list[Event]] = field(default_factory=dict)
    quarantine: dict[Coordinate, tuple[str, ...]] = field(default_factory=dict)
    seen: set[Coordinate] = field(default_factory=set)
    lake: Lake = field(init=False)

    def __post_init__(self) -> None:
        """Start with an empty lake."""
        self.lake = Lake(self.source.table)

    def take(self, batch: Iterable[Message]) -> BatchResult:
        """Take one batch: classify, place, fold, count."""
        outcomes: dict[Coordinate, str] = {}
        accepted: dict[tuple[Any, ...], list[Event]] = defaultdict(list)
        for coordinate, read in self._read(batch):
            match read:
                case None:
                    outcomes[coordinate] = "duplicate"
                case Skipped(outcome):
                    outcomes[coordinate] = outcome
                case Refused(reasons):
                    outcomes[coordinate] = "quarantined"
                    self.quarantine[coordinate] = reasons
                case Event():
                    accepted[read.identity].append(read)
        before, known = self.lake, set(self.deliveries)
        for identity, events in accepted.items():
            self.deliveries.setdefault(identity, []).extend(events)
        self.lake = Lake.of(self.source.table, map(merge_deliveries, self.deliveries.values()))
        for identity, events in accepted.items():
            outcomes |= dict.fromkeys((event.coordinate for event in events), "duplicate")
            if identity not in known:
                first = merge_deliveries(self.deliveries[identity])
                outcomes[first.coordinate] = outcome_of(first, before, self.lake)
        return BatchResult(outcomes)

    def _read(
        self, batch: Iterable[Message]
    ) -> Iterator[tuple[Coordinate, Event | Refused | Skipped | None]]:
        """ "the same Kafka offset delivered twice counts once": None for one read in an earlier
        batch.
        """
        messages = {message.coordinate: message for message in reversed(list(batch))}
        fresh = {
            coordinate: message
            for coordinate, message in messages.items()
            if coordinate not in self.seen
        }
        expects_commit_time = self._has_commit_time(fresh.values())
        for coordinate in sorted(messages):
            again = coordinate in self.seen
            yield (
                coordinate,
                None
                if again
                else read_message(messages[coordinate], self.source, expects_commit_time),
            )
        self.seen |= set(messages)

    def _has_commit_time(self, fresh: Iterable[Message]) -> bool:
        """ "once a table has accepted a CDC row with a commit time"; also in this batch."""
        if any(events[0].has_commit_time for events in self.deliveries.values()):
            return True
        reads = (read_message(message, self.source, expects_commit_time=False) for message in fresh)
        return any(isinstance(read, Event) and read.has_commit_time for read in reads)
