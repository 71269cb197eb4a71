"""Builds the Kafka messages that AWS DMS writes for a PostgreSQL source (json-unformatted)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from cdcctl.local.dms_json import BooleanSpelling, ColumnType, quoted, spelling
from cdcctl.local.pgoutput import Delete, Insert, Row, Unchanged, Update
from cdcctl.local.source_table import SourceTable


@dataclass(frozen=True)
class MessageSettings:
    """The endpoint and task settings of DMS that change what a message looks like."""

    task_id: str = "cdcctl-local"
    before_image: Literal["pk-only", "none"] = "pk-only"
    deletes: Literal["nulls", "keys-only"] = "nulls"
    unchanged_toast: Literal["absent", "null"] = "absent"
    booleans: BooleanSpelling = BooleanSpelling.MIXED


@dataclass(frozen=True)
class ChangePosition:
    """Where a change stands in the source's log; the same on every delivery."""

    lsn: int
    ordinal: int
    transaction_id: int
    committed_at: datetime
    previous: tuple[int, int] | None = None
    """Transaction id and ordinal of the change before; None for the first after a start."""

    @property
    def stream_position(self) -> str:
        """Spell the position as DMS does."""
        lsn = f"{self.lsn >> 32:08X}/{self.lsn & 0xFFFFFFFF:08X}"
        return f"{lsn}.{self.ordinal}.{lsn}"


@dataclass(frozen=True)
class KafkaMessage:
    """One record to be written."""

    topic: str
    key: str
    value: str


class EmissionClock:
    """Gives the time a message is built: never twice the same, so emissions are ordered."""

    def __init__(
        self,
        offset: timedelta = timedelta(),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._offset = offset
        self._now = now
        self._last = datetime.min.replace(tzinfo=UTC)
        self._lock = threading.Lock()

    def stamp(self) -> str:
        """Give the next emission time, shifted by the offset of this DMS's clock."""
        with self._lock:
            moment = self._now() + self._offset
            self._last = max(moment, self._last + timedelta(microseconds=1))
            return utc(self._last)


def utc(moment: datetime) -> str:
    """Spell a time with microseconds and Z."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


class MessageBuilder:
    """Turns rows and changes into messages; one per stream, for several threads."""

    def __init__(self, settings: MessageSettings, clock: EmissionClock) -> None:
        self._settings = settings
        self._clock = clock
        self._spelled: dict[ColumnType, Callable[[str], str]] = {}

    def load(self, table: SourceTable, values: Row) -> KafkaMessage:
        """Give the message of a row read by the full load; its key is the primary key."""
        key = ".".join((table.name, *(str(values[column]) for column in table.primary_key)))
        metadata = self._metadata(table, "data", "load", "primary-key", key)
        return self._message(table, key, {"data": self._object(table, values)}, metadata)

    def change(
        self, table: SourceTable, change: Insert | Update | Delete, position: ChangePosition
    ) -> KafkaMessage:
        """Give the message of a change read from the log; its key is schema.table."""
        parts: dict[str, str] = {}
        match change:
            case Insert(new=new):
                operation, parts["data"] = "insert", self._object(table, new)
            case Update(old=old, new=new):
                operation = "update"
                if self._settings.before_image == "pk-only":
                    parts["before-image"] = self._object(table, _changed_key(table, old, new))
                parts["data"] = self._object(table, self._filled(old, new))
            case Delete(old=old):
                operation, parts["data"] = "delete", self._object(table, self._deleted(table, old))
        metadata = self._metadata(table, "data", operation, "schema-table")
        metadata["transaction-id"] = position.transaction_id
        metadata["transaction-record-id"] = position.ordinal
        if position.previous is not None:
            metadata["prev-transaction-id"] = position.previous[0]
            metadata["prev-transaction-record-id"] = position.previous[1]
        metadata["commit-timestamp"] = utc(position.committed_at)
        metadata["stream-position"] = position.stream_position
        return self._message(table, table.name, parts, metadata)

    def create_table(self, table: SourceTable) -> KafkaMessage:
        """Give the control record that announces a table before its load."""
        columns = {
            column.name: {"type": column.type.dms_name, "nullable": column.nullable}
            for column in table.columns
        }
        definition = {"columns": columns, "primary-key": list(table.primary_key)}
        return self._control(table, "create-table", {"table-def": definition})

    def truncate(self, table: SourceTable) -> KafkaMessage:
        """Give the control record of a TRUNCATE; what DMS writes is not documented."""
        return self._control(table, "truncate-table", {})

    def _control(
        self, table: SourceTable, operation: str, control: Mapping[str, Any]
    ) -> KafkaMessage:
        key = f"{self._settings.task_id}.{table.name}"
        metadata = self._metadata(table, "control", operation, "task-id", key)
        return self._message(table, key, {"control": json.dumps(control)}, metadata)

    def _metadata(
        self,
        table: SourceTable,
        record_type: str,
        operation: str,
        key_type: str,
        key: str | None = None,
    ) -> dict[str, Any]:
        metadata = {
            "timestamp": self._clock.stamp(),
            "record-type": record_type,
            "operation": operation,
            "partition-key-type": key_type,
            "schema-name": table.schema,
            "table-name": table.table,
        }
        if key is not None:
            metadata["partition-key-value"] = key
        return metadata

    def _message(
        self,
        table: SourceTable,
        key: str,
        parts: Mapping[str, str],
        metadata: Mapping[str, Any],
    ) -> KafkaMessage:
        body = "".join(f"{quoted(name)}:{text}," for name, text in parts.items())
        described = json.dumps(metadata, ensure_ascii=False, separators=(",", ":"))
        return KafkaMessage(table.topic, key, f'{{{body}"metadata":{described}}}')

    def _object(self, table: SourceTable, values: Row) -> str:
        """Spell the values that are there, in the order of the table's columns."""
        fields = []
        for column in table.columns:
            if column.name not in values:
                continue
            value = values[column.name]
            if value is None:
                text = "null"
            elif value is Unchanged.TOAST:
                if self._settings.unchanged_toast == "absent":
                    continue
                text = "null"
            else:
                text = self._spell(column.type, value)
            fields.append(f"{quoted(column.name)}:{text}")
        return "{" + ",".join(fields) + "}"

    def _spell(self, column: ColumnType, value: str) -> str:
        spell = self._spelled.get(column)
        if spell is None:
            spell = self._spelled[column] = spelling(column, self._settings.booleans)
        return spell(value)

    def _filled(self, old: Row | None, new: Row) -> Row:
        """Take values that the update left alone from the old row, where the log holds it."""
        if old is None or Unchanged.TOAST not in new.values():
            return new
        return {
            name: old.get(name, value) if value is Unchanged.TOAST else value
            for name, value in new.items()
        }

    def _deleted(self, table: SourceTable, old: Row) -> Row:
        keys = {name: old[name] for name in table.primary_key if name in old}
        if self._settings.deletes == "keys-only":
            return keys
        return {column.name: keys.get(column.name) for column in table.columns}


def _changed_key(table: SourceTable, old: Row | None, new: Row) -> Row:
    """Give the old key when the update changed it, else nothing."""
    if old is None:
        return {}
    keys = {name: old[name] for name in table.primary_key if name in old}
    return keys if any(new[name] != value for name, value in keys.items()) else {}
