"""Random change streams of a few coupled keys, and the faults of their way to the lake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from tests.oracle.dms import Record, line

TABLE = "streams"
TOPIC = "cdc-streams"
CONFIG = Path(__file__).parent / "streams.yaml"
START = datetime(2024, 5, 1, 10, tzinfo=UTC)

KEYS_PER_STREAM = 3
SLOTS_PER_STREAM = 200
"""Room for the offsets of one stream in each partition."""

NAMES = ("A", "B", "C", " A", None)
QUANTITIES = (None, 1, 2)
PRICES = ("1.50", "2.5", None)
NOTES = ("n1", "n2", "n3", None)
GAPS = [timedelta(0)] * 2 + [timedelta(microseconds=1), timedelta(milliseconds=1)]
GAPS += [timedelta(seconds=1), timedelta(seconds=5)] * 2
LAGS = [timedelta(milliseconds=100)] * 6 + [
    timedelta(0),
    timedelta(seconds=3),
    timedelta(seconds=12),
]

Row = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """A data record with key numbers in place of keys."""

    operation: str
    key: int | None
    fields: Mapping[str, Any]
    emission: datetime
    commit: datetime | None = None
    lsn: int | None = None
    record_id: int | None = None
    old_key: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Sent:
    """A change, or a text that is none, as it arrives: in which batch, under which coordinates."""

    change: Change | str | None
    batch: int
    partition: int
    slot: int
    """Becomes the offset; order within a partition is kept when streams are merged."""


Stream = tuple[Sent, ...]


@dataclass(frozen=True)
class Faults:
    """What may go wrong on the way."""

    on_the_way: bool = True
    """Duplicates, late and swapped batches, refused and unreadable messages, loads that race."""


WITH_FAULTS = Faults()
WITHOUT_FAULTS = Faults(on_the_way=False)


class SourceTable:
    """A database with a handful of rows, its log, and DMS reading it."""

    def __init__(self, random: Random, faults: Faults) -> None:
        """Start empty, just before the LSN's upper half changes."""
        self.random = random
        self.faults = faults
        self.rows: dict[int, Row] = {}
        self.now = START
        self.lsn = 0x1_0000_0000 - 0x300
        self.changes: list[Change] = []

    def run(self, transactions: int) -> list[Change]:
        """Commit so many transactions, several of them perhaps at one time."""
        for _ in range(transactions):
            self.now += self.random.choice(GAPS)
            self.lsn += 0x100
            lag = self.random.choice(LAGS)
            for record_id in range(1, self.random.choice((1, 1, 1, 2, 3)) + 1):
                self._change(record_id, lag)
            if self.faults.on_the_way and self.random.random() < 0.2:
                self._load()
        return self.changes

    def _change(self, record_id: int, lag: timedelta) -> None:
        key = self.random.choice((0, 0, 0, 1, 2))
        operation, fields, old_key = self._statement(key)
        change = Change(
            operation, key, fields, self.now + lag, self.now, self.lsn, record_id, old_key
        )
        if self.faults.on_the_way:
            change = self._damaged(change)
        self.changes.append(change)

    def _statement(self, key: int) -> tuple[str, Row, int | None]:
        """Change one row as an application would; unknown keys are updated and deleted too."""
        row = self.rows.get(key)
        if row is None and self.random.random() < 0.7:
            self.rows[key] = self._new_row()
            return "insert", self._some_absent(self.rows[key]), None
        choice = self.random.random()
        if choice < 0.15:
            self.rows.pop(key, None)
            return "delete", self.random.choice(({}, dict.fromkeys(self._new_row()))), None
        if choice < 0.30:
            return self._key_change(key)
        if row is None and not self.faults.on_the_way:
            self.rows[key] = self._new_row()
            return "insert", dict(self.rows[key]), None
        before = row or self._new_row()
        after = before | self._assignments(before)
        self.rows[key] = after
        if self.faults.on_the_way and choice > 0.93:
            return "insert", self._some_absent(after), None
        if row is None:
            return "update", self._some_absent(after), None
        untouched = [name for name in after if after[name] == before[name]]
        absent = [name for name in untouched if self.random.random() < 0.4]
        return "update", {name: after[name] for name in after if name not in absent}, None

    def _key_change(self, key: int) -> tuple[str, Row, int | None]:
        """Move a row of another key, live or not, to this key."""
        old_key = self.random.choice([other for other in range(KEYS_PER_STREAM) if other != key])
        if old_key not in self.rows and not self.faults.on_the_way:
            self.rows[key] = self._new_row()
            return "insert", dict(self.rows[key]), None
        before = self.rows.pop(old_key, None) or self._new_row()
        after = before | self._assignments(before)
        self.rows[key] = after
        absent = [name for name in after if after[name] == before[name]]
        absent = [name for name in absent if self.random.random() < 0.4]
        return "update", {name: after[name] for name in after if name not in absent}, old_key

    def _new_row(self) -> Row:
        choose = self.random.choice
        return {
            "name": choose(NAMES),
            "qty": choose(QUANTITIES),
            "price": choose(PRICES),
            "note": choose(NOTES),
        }

    def _assignments(self, row: Row) -> Row:
        """None (a no-op), the ignored column only, or any columns, NULL included."""
        kind = self.random.random()
        if kind < 0.2:
            return {}
        if kind < 0.4:
            return {"note": self.random.choice(NOTES)}
        names = self.random.sample(sorted(row), self.random.randint(1, 2))
        return {name: value for name, value in self._new_row().items() if name in names}

    def _some_absent(self, row: Row) -> Row:
        """Leave fields out; where the source's row counts, only those that are NULL."""
        return {
            name: value
            for name, value in row.items()
            if (value is not None and not self.faults.on_the_way) or self.random.random() < 0.8
        }

    def _damaged(self, change: Change) -> Change:
        """Now and then make a change that the lake must refuse or place with less to go by."""
        kind = self.random.random()
        if kind < 0.04:
            return replace(change, fields={**change.fields, "qty": 400})
        if kind < 0.06:
            return replace(change, fields={**change.fields, "qty": 400, "name": "Z"})
        if kind < 0.08:
            return replace(change, fields={**change.fields, "price": "1.999"})
        if kind < 0.09:
            return replace(change, key=None)
        if kind < 0.10:
            return replace(change, metadata={"commit-timestamp": "soon"})
        if kind < 0.12:
            return replace(change, lsn=None, record_id=None)
        if kind < 0.13:
            return replace(change, operation="merge")
        if kind < 0.14:
            return replace(change, metadata={"table-name": "other"})
        return change

    def _load(self) -> None:
        """Read the table now, or what it might have been, and emit it around other emissions."""
        stamps = [change.emission for change in self.changes] + [self.now]
        jitter = self.random.choice((timedelta(0), timedelta(microseconds=1), timedelta(seconds=2)))
        emission = self.random.choice(stamps) + jitter
        for key in range(KEYS_PER_STREAM):
            row = self.rows.get(key)
            if row is not None or self.random.random() < 0.2:
                values = row if row is not None and self.random.random() < 0.5 else self._new_row()
                self.changes.append(Change("load", key, self._some_absent(values), emission))


def random_stream(random: Random, batches: int, faults: Faults = WITH_FAULTS) -> Stream:
    """Make one stream: what the source did, then how it was delivered."""
    changes = SourceTable(random, faults).run(random.randint(1, 6))
    return deliver(random, changes, batches, faults)


def deliver(random: Random, changes: list[Change], batches: int, faults: Faults) -> Stream:
    """Spread changes over batches and partitions."""
    arrivals: list[tuple[int, Change | str | None]] = []
    for index, change in enumerate(changes):
        due = index * batches // len(changes)
        arrivals.append((_arrival(random, due, batches, faults), change))
        if faults.on_the_way and random.random() < 0.15:
            arrivals.append((_arrival(random, due, batches, faults), _again(random, change)))
    if faults.on_the_way and random.random() < 0.2:
        arrivals.append((random.randrange(batches), random.choice(_NO_CHANGE)))
    if faults.on_the_way and random.random() < 0.3:
        random.shuffle(arrivals)
    arrivals.sort(key=lambda arrival: arrival[0])
    return _with_coordinates(random, arrivals, batches, faults)


_NO_CHANGE = (
    None,
    "{",
    "[]",
    '{"metadata": {"record-type": "control", "operation": "create-table"}, "control": {}}',
    '{"data": {}, "metadata": {"record-type": "data", "operation": "truncate", '
    '"schema-name": "public", "table-name": "streams"}}',
)


def _arrival(random: Random, due: int, batches: int, faults: Faults) -> int:
    if not faults.on_the_way or random.random() < 0.7:
        return due
    return random.randrange(batches)


def _again(random: Random, change: Change) -> Change:
    """Deliver the same event again: emitted at another time, rarely with other values."""
    if change.operation == "load":
        return change
    emission = change.emission + random.choice(
        (timedelta(seconds=-1), timedelta(0), timedelta(seconds=4))
    )
    fields = dict(change.fields)
    if change.operation != "delete" and random.random() < 0.15:
        fields["name"] = random.choice(NAMES)
    return replace(change, emission=emission, fields=fields)


def _with_coordinates(
    random: Random, arrivals: list[tuple[int, Change | str | None]], batches: int, faults: Faults
) -> Stream:
    """Number the messages; some streams swap offsets over batches, some read an offset again."""
    slots = list(range(len(arrivals)))
    if faults.on_the_way and random.random() < 0.1:
        random.shuffle(slots)
    sent = []
    for slot, (batch, change) in zip(slots, arrivals, strict=True):
        is_load = isinstance(change, Change) and change.operation == "load"
        partition = random.randrange(3) if random.random() < 0.1 else int(is_load)
        sent.append(Sent(change, batch, partition, slot))
    if faults.on_the_way and random.random() < 0.1:
        again = random.choice(sent)
        sent.append(replace(again, batch=random.randrange(again.batch, batches)))
    return tuple(sent)


# --- rendering ----------------------------------------------------------------------------------


def keys_of(index: int) -> range:
    """Give the keys of the stream that stands at a place of a run."""
    return range(1 + index * KEYS_PER_STREAM, 1 + (index + 1) * KEYS_PER_STREAM)


def index_of_offset(offset: int) -> int:
    """Tell which stream of a run an offset belongs to."""
    return offset // SLOTS_PER_STREAM


def index_of_key(key: int) -> int:
    """Tell which stream of a run a key belongs to."""
    return (key - 1) // KEYS_PER_STREAM


def render(streams: Iterable[Stream], batches: int) -> list[list[dict[str, Any]]]:
    """Write streams as batch files, each stream with keys and offsets of its own."""
    files: list[list[dict[str, Any]]] = [[] for _ in range(batches)]
    for index, stream in enumerate(streams):
        for sent in stream:
            files[sent.batch].append(_line(sent, index))
    return files


def _line(sent: Sent, index: int) -> dict[str, Any]:
    offset = index * SLOTS_PER_STREAM + sent.slot
    if not isinstance(sent.change, Change):
        return line(TOPIC, sent.partition, offset, _milliseconds(START), sent.change)
    value = _record(sent.change, keys_of(index)).value
    return line(TOPIC, sent.partition, offset, _milliseconds(sent.change.emission), value)


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def _record(change: Change, keys: range) -> Record:
    key = None if change.key is None else keys[change.key]
    before: Mapping[str, Any] | None = None
    if change.operation == "update":
        before = {} if change.old_key is None else {"id": keys[change.old_key]}
    return Record(
        change.operation,
        TABLE,
        {"id": key, **change.fields},
        change.emission,
        change.commit,
        change.lsn,
        change.record_id,
        before,
        change.metadata,
    )


def describe(stream: Stream, index: int = 0) -> str:
    """Print a stream so that it can be read, and put into a scenario folder."""
    lines = []
    for sent in stream:
        record = _line(sent, index)
        lines.append(
            f"batch {sent.batch} {record['partition']}/{record['offset']}: {record['value']}"
        )
    return "\n".join(lines)
