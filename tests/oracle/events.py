"""From a Kafka message to an accepted event, or to the reasons why there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from glue_job.contract.model import Table
from glue_job.contract.types import DataType
from tests.oracle.checks import failed_rules, transformed
from tests.oracle.values import BadJson, BadValue, Number, read_object, read_timestamp, read_value

Key = tuple[Any, ...]
Position = tuple[datetime, int, int, int, int]
"""Order of CDC events: commit time, LSN, record id; partition and offset only where those do not
tell.
"""

_LONG = DataType("long")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CHANGES = ("insert", "update", "delete")
_LSN = re.compile(
    r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})\.\d+\.[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}", re.ASCII
)


@dataclass(frozen=True)
class Message:
    """One line of a batch file: a Kafka record, `timestamp` in epoch milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    value: str | None

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> Message:
        """Take the fields the judge needs; the Kafka key means nothing to the lake."""
        return cls(
            line["topic"], line["partition"], line["offset"], line["timestamp"], line["value"]
        )

    @property
    def coordinate(self) -> tuple[int, int]:
        """Name the record within its topic."""
        return (self.partition, self.offset)

    @property
    def kafka_time(self) -> datetime:
        """Give Kafka's record timestamp."""
        return EPOCH + timedelta(milliseconds=self.timestamp)


@dataclass(frozen=True)
class Event:
    """An accepted event: typed values after transforms, of the fields that were present."""

    operation: str
    key: Key
    old_key: Key
    """The key before the change; equal to `key` unless an update changed it."""
    values: Mapping[str, Any]
    time: datetime
    """Commit time of a CDC event (or what replaces it), own timestamp of a load."""
    emission: datetime
    lsn: int
    record_id: int
    has_commit_time: bool
    coordinate: tuple[int, int]

    @property
    def is_load(self) -> bool:
        """Tell a row of a full load from a change."""
        return self.operation == "load"

    @property
    def changes_key(self) -> bool:
        """A before-image with another key."""
        return self.old_key != self.key

    @property
    def position(self) -> Position:
        """CDC against CDC: by commit time, LSN, record id; else time, partition, offset."""
        return (self.time, self.lsn, self.record_id, *self.coordinate)

    @property
    def identity(self) -> tuple[Any, ...]:
        """A change is (commit time, LSN, record id, key), a load row (key, timestamp).

        Without a commit time only the same Kafka offset is a duplicate.
        """
        if self.is_load:
            return ("load", self.key, self.time)
        if self.has_commit_time:
            return ("cdc", self.time, self.lsn, self.record_id, self.key)
        return ("offset", self.coordinate)


@dataclass(frozen=True)
class Refused:
    """A message for quarantine, by all its reasons, the first leading."""

    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Skipped:
    """A message that is no row: C29 tombstone, C31 control."""

    outcome: str


@dataclass(frozen=True)
class Source:
    """What the config says about one table's feed."""

    table: Table
    schema_name: str = "public"
    order: str = "auto"


def read_message(
    message: Message, source: Source, expects_commit_time: bool
) -> Event | Refused | Skipped:
    """Give every message its one way: event, quarantine, control or tombstone."""
    if message.value is None:
        return Skipped("tombstone")
    try:
        envelope = read_object(message.value)
    except BadJson:
        return Refused(("BAD_JSON",))
    metadata = envelope.get("metadata")
    if not isinstance(metadata, dict):
        return Refused(("BAD_ENVELOPE",))
    if _is_control(envelope, metadata):
        return Refused(("UNKNOWN_OPERATION",)) if _truncates(metadata) else Skipped("control")
    if metadata.get("operation") not in (*CHANGES, "load"):
        return Refused(("UNKNOWN_OPERATION",))
    if not isinstance(envelope.get("data"), dict):
        return Refused(("BAD_ENVELOPE",))
    if _names_another_table(metadata, source):
        return Refused(("WRONG_TABLE",))
    return _read_row(message, envelope, source, expects_commit_time)


def _is_control(envelope: Mapping[str, Any], metadata: Mapping[str, Any]) -> bool:
    """C31: a control record is counted, never a row."""
    return metadata.get("record-type") == "control" or (
        "control" in envelope and "data" not in envelope
    )


def _truncates(metadata: Mapping[str, Any]) -> bool:
    """C23: an event that says truncate is an unknown operation."""
    return str(metadata.get("operation")).lower().startswith("truncate")


def _names_another_table(metadata: Mapping[str, Any], source: Source) -> bool:
    """C32: another schema or table name; a name that is not given is no other name."""
    schema, table = metadata.get("schema-name"), metadata.get("table-name")
    return bool(schema and schema != source.schema_name) or bool(
        table and table != source.table.name
    )


def _read_row(
    message: Message, envelope: Mapping[str, Any], source: Source, expects_commit_time: bool
) -> Event | Refused:
    table, operation = source.table, envelope["metadata"]["operation"]
    names = table.primary_key if operation == "delete" else table.column_names
    reasons: list[str] = []
    values, has_bad_type = _read_fields(envelope["data"], names, table)
    before, before_has_bad_type = _read_before_image(envelope, operation, table)
    if has_bad_type or before_has_bad_type:
        reasons.append("BAD_TYPE")
    present = _present(envelope["data"], names)
    if any(present.get(name) is None for name in table.primary_key):
        reasons.append("NULL_KEY")
    clock = _read_clock(message, envelope["metadata"], operation)
    if clock is None or _lacks_commit_time(clock, operation, source, expects_commit_time):
        reasons.append("NO_SEQUENCE")
    if reasons or clock is None:
        return Refused(tuple(reasons))
    if operation in ("insert", "load"):
        values = {name: values.get(name) for name in names}
    failed = failed_rules(values, operation, table)
    if failed:
        return Refused(tuple(failed))
    stored = transformed(values, table)
    key = tuple(stored[name] for name in table.primary_key)
    old = transformed({name: before.get(name, values[name]) for name in table.primary_key}, table)
    old_key = tuple(old[name] for name in table.primary_key)
    return Event(
        operation,
        key,
        old_key,
        stored,
        clock.time,
        clock.emission,
        clock.lsn,
        clock.record_id,
        clock.has_commit_time,
        message.coordinate,
    )


def _present(fields: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Field names match exactly, then case-insensitively when unambiguous; others are ignored."""
    found = {}
    for name in names:
        alike = (
            [name]
            if name in fields
            else [field for field in fields if field.lower() == name.lower()]
        )
        if len(alike) == 1:
            found[name] = fields[alike[0]]
    return found


def _read_fields(
    fields: Mapping[str, Any], names: tuple[str, ...], table: Table
) -> tuple[dict[str, Any], bool]:
    """C22: what is present, null included, and nothing else; C30: a bad field is never a null."""
    values, has_bad_type = {}, False
    for name, value in _present(fields, names).items():
        try:
            values[name] = read_value(value, table.column(name).type)
        except BadValue:
            has_bad_type = True
    return values, has_bad_type


def _read_before_image(
    envelope: Mapping[str, Any], operation: str, table: Table
) -> tuple[dict[str, Any], bool]:
    """Read the key columns of an update's before-image; a part that is not there did not change."""
    image = envelope.get("before-image")
    if operation != "update" or not isinstance(image, dict):
        return {}, False
    values, has_bad_type = _read_fields(image, table.primary_key, table)
    return {name: value for name, value in values.items() if value is not None}, has_bad_type


@dataclass(frozen=True)
class _Clock:
    time: datetime
    emission: datetime
    lsn: int
    record_id: int
    has_commit_time: bool


def _read_clock(message: Message, metadata: Mapping[str, Any], operation: str) -> _Clock | None:
    """Read the event's times and position; None when a time is present but cannot be read."""
    try:
        commit_time = _optional_time(metadata.get("commit-timestamp"))
        built_at = _optional_time(metadata.get("timestamp"))
        record_id = int(
            read_value(metadata.get("transaction-record-id", Number(0)) or Number(0), _LONG)
        )
    except BadValue:
        return None
    if operation == "load" or commit_time is None:
        moment = built_at or message.kafka_time
        return _Clock(moment, moment, 0, 0, has_commit_time=False)
    lsn = _lsn(metadata.get("stream-position"))
    return _Clock(commit_time, built_at or commit_time, lsn, record_id, has_commit_time=True)


def _optional_time(value: Any) -> datetime | None:
    return None if value is None else read_timestamp(value)


def _lsn(value: Any) -> int:
    """A stream-position that does not parse counts as absent."""
    parts = _LSN.fullmatch(value) if isinstance(value, str) else None
    return (int(parts[1], 16) << 32) + int(parts[2], 16) if parts else 0


def _lacks_commit_time(
    clock: _Clock, operation: str, source: Source, expects_commit_time: bool
) -> bool:
    """Once a table has accepted a change with a commit time, one without has no sequence."""
    if operation == "load" or clock.has_commit_time or source.order == "fallback":
        return False
    return expects_commit_time
