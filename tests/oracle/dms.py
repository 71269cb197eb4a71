"""Messages as DMS writes them: envelope, metadata and JSON spelling."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


class Raw(str):
    """JSON text that goes into a message as it stands: `1e3`, a number of forty digits."""

    __slots__ = ()


@dataclass(frozen=True)
class Record:
    """One data record; a time or position that is None is left out of the metadata."""

    operation: str
    table: str
    data: Mapping[str, Any]
    emission: datetime | None
    commit: datetime | None = None
    lsn: int | None = None
    record_id: int | None = None
    before_image: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further metadata, or other values for it."""

    @property
    def value(self) -> str:
        """Give the text of the Kafka value."""
        metadata: dict[str, Any] = {}
        if self.emission is not None:
            metadata["timestamp"] = iso(self.emission)
        metadata |= {
            "record-type": "data",
            "operation": self.operation,
            "partition-key-type": "schema-table" if self.commit else "primary-key",
            "schema-name": "public",
            "table-name": self.table,
        }
        if self.commit is not None:
            metadata["transaction-id"] = 700 + int(self.commit.timestamp()) % 100_000
            metadata["commit-timestamp"] = iso(self.commit)
        if self.record_id is not None:
            metadata["transaction-record-id"] = self.record_id
        if self.lsn is not None:
            metadata["stream-position"] = stream_position(self.lsn)
        envelope: dict[str, Any] = {"data": self.data}
        if self.before_image is not None:
            envelope["before-image"] = self.before_image
        return json_text({**envelope, "metadata": {**metadata, **self.extra}})


def iso(time: datetime) -> str:
    """Spell a time as DMS does: UTC, the fraction dropped when zero."""
    text = time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{time.microsecond:06d}Z" if time.microsecond else f"{text}Z"


def stream_position(lsn: int) -> str:
    """Spell a position as DMS does for PostgreSQL: `LSN.n.LSN`."""
    text = f"{lsn >> 32:08X}/{lsn & 0xFFFFFFFF:08X}"
    return f"{text}.3.{text}"


def json_text(value: Any) -> str:
    """Write JSON in one line, `Raw` parts untouched."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, Mapping):
        fields = ",".join(f"{json.dumps(key)}:{json_text(item)}" for key, item in value.items())
        return f"{{{fields}}}"
    return json.dumps(value, ensure_ascii=False)


def line(
    topic: str,
    partition: int,
    offset: int,
    timestamp: int,
    value: str | None,
    key: str | None = None,
) -> dict[str, Any]:
    """Give one line of a batch file."""
    return {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "timestamp": timestamp,
        "key": key,
        "value": value,
    }
