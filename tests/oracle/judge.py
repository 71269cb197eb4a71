"""Takes batches one by one and says what became of every message, as seen when it was written."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from glue_job.contract.model import Table
from tests.oracle.events import Event, Message, Refused, Skipped, Source, read_message
from tests.oracle.fold import (
    Coordinate,
    Entry,
    Lake,
    Moment,
    Timeline,
    entries_of,
    merge_deliveries,
    tracked,
)


def outcome_of(event: Event, before: Lake, after: Lake) -> str:
    """A key change counts by both halves: what either changed, else what either placed."""
    outcomes = [
        outcome_of_entry(entry, before.timeline(entry.key), after.timeline(entry.key), after.table)
        for entry in entries_of(event)
    ]
    return min(outcomes, key=("applied", "unchanged", "superseded").index)


def outcome_of_entry(entry: Entry, before: Timeline, after: Timeline, table: Table) -> str:
    """`applied` changed some version; `superseded` is a stale load or not the last at its time."""
    moment = next((moment for moment in after.moments if moment.last == entry), None)
    if moment is None:
        return "superseded"
    return "applied" if changed_some_version(moment, before, after, table) else "unchanged"


def changed_some_version(moment: Moment, before: Timeline, after: Timeline, table: Table) -> bool:
    """Outcomes are as seen when the batch was written: what stands at that time, now and before.

    Only tracked columns count: an update of ignored columns is a no-op, though the row shows it.
    """
    stood, stands = (_at(moment.time, timeline, table) for timeline in (before, after))
    has_boundary = before.has_boundary(moment.time) or after.has_boundary(moment.time)
    return (has_boundary and stood != stands) or made_a_load_vanish(moment, before, after, table)


def _at(time: datetime, timeline: Timeline, table: Table) -> tuple[bool, object]:
    version = timeline.version_at(time)
    return (timeline.has_boundary(time), version and tracked(version.state, table))


def made_a_load_vanish(moment: Moment, before: Timeline, after: Timeline, table: Table) -> bool:
    """C25: the change that hides a load which had shown changed its version."""
    hides = [entry for entry, time in after.hidden if time == moment.time]
    shown = [of_load.time for of_load in before.moments if of_load.last in hides]
    return any(
        before.has_boundary(time) and _at(time, before, table) != _at(time, after, table)
        for time in shown
    )


def may_be_unchanged(event: Event, before: Lake, after: Lake) -> bool:
    """Tell whether an `applied` event shares its effective time with one of an earlier batch.

    What stands at that time has changed, but which of several events did it is a matter of taste
    when the last of them is a no-op beside a part that was there before.
    """
    for entry in entries_of(event):
        times = [m.time for m in after.timeline(entry.key).moments if m.last == entry]
        if any(m.time in times for m in before.timeline(entry.key).moments):
            return True
    return False


@dataclass(frozen=True)
class BatchResult:
    """What one batch came to."""

    outcome_of: Mapping[Coordinate, str]
    arguable: frozenset[Coordinate] = frozenset()
    """Events that are `applied`, though `unchanged` is right as well."""

    @property
    def consumed(self) -> int:
        """Count the distinct coordinates."""
        return len(self.outcome_of)

    @property
    def outcomes(self) -> Counter[str]:
        """Count the messages by outcome."""
        return Counter(self.outcome_of.values())

    def agrees_with(self, found: Mapping[str, int]) -> bool:
        """Compare with counted outcomes; an arguable event may stand on either side."""
        moved = self.outcomes["applied"] - found.get("applied", 0)
        expected = self.outcomes + Counter(unchanged=moved)
        expected["applied"] -= moved
        return 0 <= moved <= len(self.arguable) and +expected == +Counter(found)


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
        arguable = set()
        for identity, events in accepted.items():
            outcomes |= dict.fromkeys((event.coordinate for event in events), "duplicate")
            if identity not in known:
                first = merge_deliveries(self.deliveries[identity])
                outcome = outcome_of(first, before, self.lake)
                outcomes[first.coordinate] = outcome
                if outcome == "applied" and may_be_unchanged(first, before, self.lake):
                    arguable.add(first.coordinate)
        return BatchResult(outcomes, frozenset(arguable))

    def _read(
        self, batch: Iterable[Message]
    ) -> Iterator[tuple[Coordinate, Event | Refused | Skipped | None]]:
        """An offset delivered twice counts once: None for a row read in an earlier batch."""
        messages = {message.coordinate: message for message in reversed(list(batch))}
        fresh = {
            coordinate: message
            for coordinate, message in messages.items()
            if coordinate not in self.seen
        }
        expects_commit_time = self._has_commit_time(fresh.values())
        for coordinate in sorted(messages):
            read = read_message(messages[coordinate], self.source, expects_commit_time)
            is_known = coordinate in self.seen and not isinstance(read, Skipped)
            yield coordinate, None if is_known else read
        self.seen |= set(messages)

    def _has_commit_time(self, fresh: Iterable[Message]) -> bool:
        """Tell whether the table has accepted a change with a commit time, this batch included."""
        if any(events[0].has_commit_time for events in self.deliveries.values()):
            return True
        reads = (read_message(message, self.source, expects_commit_time=False) for message in fresh)
        return any(isinstance(read, Event) and read.has_commit_time for read in reads)
