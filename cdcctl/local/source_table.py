"""Source tables as the catalog of PostgreSQL describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdcctl.local.dms_json import ColumnType

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection


@dataclass(frozen=True)
class SourceColumn:
    """One column of a source table."""

    name: str
    type: ColumnType
    nullable: bool


@dataclass(frozen=True)
class SourceTable:
    """One captured table and the topic that its rows go to."""

    schema: str
    table: str
    topic: str
    columns: tuple[SourceColumn, ...]
    primary_key: tuple[str, ...]

    @property
    def name(self) -> str:
        """Give `schema.table`."""
        return f"{self.schema}.{self.table}"

    @property
    def quoted_name(self) -> str:
        """Give the name as SQL spells it."""
        return f"{quote(self.schema)}.{quote(self.table)}"


class SourceTableMissing(Exception):
    """A table of the config is not in the database, or cannot be captured; `fix` mends it."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.fix = fix


class TypeCatalog:
    """Resolves domains to the types they stand on, since the log names the domain."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[int, ColumnType] = {}

    def resolve(self, type_id: int, modifier: int) -> ColumnType:
        """Give the type whose spelling a value has."""
        if type_id < FIRST_USER_TYPE:
            return ColumnType(type_id, modifier)
        if type_id not in self._known:
            with self._connection.cursor() as cursor:
                cursor.execute(
                    "SELECT typbasetype::bigint, typtypmod FROM pg_type WHERE oid = %s", (type_id,)
                )
                base, base_modifier = cursor.fetchone() or (0, -1)
            self._known[type_id] = (
                self.resolve(base, base_modifier) if base else ColumnType(type_id)
            )
        return self._known[type_id]


FIRST_USER_TYPE = 16384

COLUMNS = """
SELECT attname, atttypid::bigint, atttypmod, attnotnull
FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
ORDER BY attnum
"""

PRIMARY_KEY = """
SELECT attname
FROM pg_index
CROSS JOIN LATERAL unnest(indkey::int2[]) WITH ORDINALITY AS part(attnum, position)
JOIN pg_attribute ON attrelid = indrelid AND pg_attribute.attnum = part.attnum
WHERE indrelid = to_regclass(%s) AND indisprimary
ORDER BY position
"""


def describe(connection: Connection, topics: Mapping[str, str]) -> dict[str, SourceTable]:
    """Read the tables of `topics` (`schema.table` -> topic) from the catalog."""
    types = TypeCatalog(connection)
    return {name: describe_table(connection, types, name, topic) for name, topic in topics.items()}


def describe_table(
    connection: Connection,
    types: TypeCatalog,
    name: str,
    topic: str,
    key: Sequence[str] = ("...",),
) -> SourceTable:
    """Read a table; raises SourceTableMissing, whose remedy names the key that it had."""
    schema, _, table = name.partition(".")
    quoted = f"{quote(schema)}.{quote(table)}"
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS, (quoted,))
        columns = tuple(
            SourceColumn(column, types.resolve(type_id, modifier), not not_null)
            for column, type_id, modifier, not_null in cursor.fetchall()
        )
        cursor.execute(PRIMARY_KEY, (quoted,))
        primary_key = tuple(column for (column,) in cursor.fetchall())
    if not columns:
        raise SourceTableMissing(
            f"table {name} does not exist",
            "cdcctl local down, then cdcctl local up: it is made",
        )
    if not primary_key:
        raise SourceTableMissing(
            f"table {name} has no primary key: its updates and deletes cannot be captured",
            f"at the source: ALTER TABLE {name} ADD PRIMARY KEY ({', '.join(key)})",
        )
    return SourceTable(schema, table, topic, columns, primary_key)


def quote(identifier: str) -> str:
    """Quote an SQL identifier."""
    escaped = identifier.replace('"', '""')
    return f'"{escaped}"'
