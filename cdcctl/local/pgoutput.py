"""Decodes PostgreSQL's logical replication messages (pgoutput, protocol version 1, text values).

The format is that of the PostgreSQL manual, "Logical Replication Message Formats".
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class Unchanged(Enum):
    """A TOAST value that the change left alone and the log therefore does not hold."""

    TOAST = "unchanged"


Value = str | None | Unchanged
Row = Mapping[str, Value]


@dataclass(frozen=True)
class RelationColumn:
    """One column of a relation as the log describes it."""

    name: str
    type_id: int
    type_modifier: int
    is_identity: bool


@dataclass(frozen=True)
class Relation:
    """A table as it was when the changes after this message were made."""

    id: int
    schema: str
    table: str
    replica_identity: str
    columns: tuple[RelationColumn, ...]

    @property
    def name(self) -> str:
        """Give `schema.table`."""
        return f"{self.schema}.{self.table}"


@dataclass(frozen=True)
class Begin:
    """A transaction starts; it is sent when it has committed, so its commit time is known."""

    commit_lsn: int
    committed_at: datetime
    transaction_id: int


@dataclass(frozen=True)
class Commit:
    """A transaction ends; `end_lsn` is where the log goes on after it."""

    commit_lsn: int
    end_lsn: int
    committed_at: datetime


@dataclass(frozen=True)
class Insert:
    """A row was inserted."""

    relation: Relation
    new: Row


@dataclass(frozen=True)
class Update:
    """A row was updated.

    `old` holds the identity columns when the key changed, under REPLICA IDENTITY FULL the whole
    row, and is None otherwise.
    """

    relation: Relation
    old: Row | None
    new: Row


@dataclass(frozen=True)
class Delete:
    """A row was deleted; `old` holds its identity columns, or the whole row under FULL."""

    relation: Relation
    old: Row


@dataclass(frozen=True)
class Truncate:
    """Tables were emptied."""

    relations: tuple[Relation, ...]


Change = Insert | Update | Delete
Message = Begin | Commit | Relation | Change | Truncate


class Decoder:
    """Reads the messages of one replication stream; a table is described before it is used."""

    def __init__(self) -> None:
        self._relations: dict[int, Relation] = {}

    def decode(self, payload: bytes) -> Message | None:
        """Read one message; None for the kinds that carry no change (type, origin, message)."""
        reader = _Reader(payload)
        match reader.char():
            case "B":
                return Begin(reader.int64(), reader.time(), reader.int32())
            case "C":
                reader.int8()
                return Commit(reader.int64(), reader.int64(), reader.time())
            case "R":
                relation = _relation(reader)
                self._relations[relation.id] = relation
                return relation
            case "I":
                relation = self._relations[reader.int32()]
                reader.expect("N")
                return Insert(relation, reader.row(relation))
            case "U":
                return self._update(reader)
            case "D":
                relation = self._relations[reader.int32()]
                kind = reader.char()
                row = reader.row(relation)
                return Delete(relation, _identity(relation, row) if kind == "K" else row)
            case "T":
                count = reader.int32()
                reader.int8()
                return Truncate(tuple(self._relations[reader.int32()] for _ in range(count)))
            case "Y" | "O" | "M":
                return None
            case unknown:
                raise ValueError(f"unknown replication message {unknown!r}")

    def _update(self, reader: _Reader) -> Update:
        relation = self._relations[reader.int32()]
        old: Row | None = None
        kind = reader.char()
        if kind in "KO":
            old = reader.row(relation)
            if kind == "K":
                old = _identity(relation, old)
            kind = reader.char()
        if kind != "N":
            raise ValueError(f"an update holds {kind!r} where its new row should be")
        return Update(relation, old, reader.row(relation))


def _identity(relation: Relation, row: Row) -> Row:
    """Keep the identity columns: a key tuple has nulls in all others."""
    return {column.name: row[column.name] for column in relation.columns if column.is_identity}


def _relation(reader: _Reader) -> Relation:
    relation_id, schema, table = reader.int32(), reader.text(), reader.text()
    identity = reader.char()
    columns = []
    for _ in range(reader.int16()):
        flags, name = reader.int8(), reader.text()
        columns.append(RelationColumn(name, reader.int32(), reader.signed_int32(), bool(flags & 1)))
    # An empty schema name stands for pg_catalog.
    return Relation(relation_id, schema or "pg_catalog", table, identity, tuple(columns))


class _Reader:
    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._position = 0

    def _take(self, form: struct.Struct) -> int:
        value: int = form.unpack_from(self._payload, self._position)[0]
        self._position += form.size
        return value

    def int8(self) -> int:
        return self._take(_INT8)

    def int16(self) -> int:
        return self._take(_INT16)

    def int32(self) -> int:
        return self._take(_INT32)

    def signed_int32(self) -> int:
        return self._take(_SIGNED_INT32)

    def int64(self) -> int:
        return self._take(_INT64)

    def time(self) -> datetime:
        return POSTGRES_EPOCH + timedelta(microseconds=self._take(_SIGNED_INT64))

    def char(self) -> str:
        return chr(self.int8())

    def expect(self, char: str) -> None:
        found = self.char()
        if found != char:
            raise ValueError(f"{found!r} in a replication message where {char!r} should be")

    def text(self) -> str:
        end = self._payload.index(b"\0", self._position)
        value = self._payload[self._position : end].decode()
        self._position = end + 1
        return value

    def row(self, relation: Relation) -> Row:
        row: dict[str, Value] = {}
        count = self.int16()
        if count != len(relation.columns):
            raise ValueError(f"a row of {relation.name} has {count} columns, its table does not")
        for column in relation.columns:
            match self.char():
                case "n":
                    row[column.name] = None
                case "u":
                    row[column.name] = Unchanged.TOAST
                case "t":
                    size = self.int32()
                    row[column.name] = self._payload[
                        self._position : self._position + size
                    ].decode()
                    self._position += size
                case kind:
                    raise ValueError(f"unknown kind {kind!r} of a value of {relation.name}")
        return row


_INT8 = struct.Struct("!B")
_INT16 = struct.Struct("!H")
_INT32 = struct.Struct("!I")
_SIGNED_INT32 = struct.Struct("!i")
_INT64 = struct.Struct("!Q")
_SIGNED_INT64 = struct.Struct("!q")
