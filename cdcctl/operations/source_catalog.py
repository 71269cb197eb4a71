"""Reads the tables of a PostgreSQL database from its catalog, without changing anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.redaction import redacted
from cdcctl.shipped import shared_code
from glue_job.contract.model import Pipeline

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

_TABLES = """
SELECT t.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       array_position(k.indkey::int2[], a.attnum),
       ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = a.atttypid
             ORDER BY enumsortorder)
FROM pg_class t
JOIN pg_namespace n ON n.oid = t.relnamespace
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_index k ON k.indrelid = t.oid AND k.indisprimary
WHERE n.nspname = %s AND t.relkind IN ('r', 'p') AND NOT t.relispartition
ORDER BY t.relname, a.attnum
"""


@dataclass(frozen=True)
class FoundColumn:
    """One column; `labels` are the values of an enumerated type."""

    name: str
    type: str
    is_required: bool
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundTable:
    """One table; without a primary key it cannot be replicated."""

    name: str
    columns: tuple[FoundColumn, ...]
    primary_key: tuple[str, ...]


@contextmanager
def reading(dsn: str) -> Iterator[Cursor]:
    """Open a database to read from it; raise when its address is wrong or it cannot be read."""
    import psycopg2
    from psycopg2.extensions import parse_dsn

    try:
        named = parse_dsn(dsn)
    except psycopg2.ProgrammingError as error:
        raise CdcctlError(
            "DB002",
            "--from-db is not an address of PostgreSQL",
            why=redacted(" ".join(str(error).split())),
            fix="--from-db postgresql://USER@HOST/DATABASE",
            exit_code=ExitCode.USAGE,
        ) from None
    if "password" in named:
        raise CdcctlError(
            "DB003",
            "a password on the command line is seen by every user of this machine",
            fix="leave it out of --from-db; give it by ~/.pgpass or PGPASSWORD",
            exit_code=ExitCode.USAGE,
        )
    try:
        with closing(psycopg2.connect(dsn, connect_timeout=10)) as connection:
            connection.set_session(readonly=True)
            with connection.cursor() as cursor:
                yield cursor
    except psycopg2.Error as error:
        raise CdcctlError(
            "DB004",
            "the database cannot be read",
            why=" ".join(str(error).split()),
            fix="psql with the same address tells whether it can be reached",
        ) from error


def read_state(cursor: Cursor, pipeline: Pipeline) -> dict[str, Any]:
    """Give what the Lambda sql-runner tells of a database, by the file that it runs."""
    state: dict[str, Any] = shared_code("source_state")["read_state"](
        cursor,
        pipeline.source_database.schema_name,
        [table.name for table in pipeline.streamed_tables],
    )
    return state


def read_tables(dsn: str, schema: str) -> tuple[FoundTable, ...]:
    """Describe every table of a schema; raise when the database cannot be read, or has none."""
    with reading(dsn) as cursor:
        cursor.execute(_TABLES, (schema,))
        rows = cursor.fetchall()
    if not rows:
        raise CdcctlError(
            "DB005",
            f"the schema `{schema}` has no table that this user may see",
            fix="name another one with --schema",
            exit_code=ExitCode.NOT_FOUND,
        )
    columns: dict[str, list[FoundColumn]] = {}
    keys: dict[str, dict[int, str]] = {}
    for table, column, kind, is_required, position, labels in rows:
        found = FoundColumn(column, kind, is_required, tuple(labels))
        columns.setdefault(table, []).append(found)
        if position is not None:
            keys.setdefault(table, {})[position] = column
    return tuple(
        FoundTable(
            table, tuple(held), tuple(name for _, name in sorted(keys.get(table, {}).items()))
        )
        for table, held in columns.items()
    )
