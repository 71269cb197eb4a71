"""PostgreSQL tables of the source database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cdcctl.compile.source_types import default_source_type, may_be_toasted, source_type
from glue_job.contract.model import Column, Pipeline, Table


@dataclass(frozen=True)
class Statement:
    """One SQL statement, without its semicolon; `name` says what it does."""

    name: str
    sql: str


def table_statements(pipeline: Pipeline) -> tuple[Statement, ...]:
    """Give the statements that create every streamed table, in config order.

    A column's `source_type` that is not a known PostgreSQL type raises ValueError.
    """
    schema = pipeline.source_database.schema_name
    statements = [] if schema == "public" else [_create_schema(schema)]
    statements += [_create_table(schema, table) for table in pipeline.streamed_tables]
    return tuple(statements)


def ddl_script(pipeline: Pipeline) -> str:
    """Give all statements as one SQL script with notes on the replica identity."""
    schema = pipeline.source_database.schema_name
    notes = {
        f"create table {table.name}": replica_identity_note(schema, table)
        for table in pipeline.streamed_tables
    }
    parts = [f"{notes.get(s.name, '')}{s.sql};\n" for s in table_statements(pipeline)]
    return "\n".join(parts)


def replica_identity_note(schema: str, table: Table) -> str:
    """Warn, as SQL comments, where PostgreSQL may leave large values out of an update."""
    large = [column.name for column in table.schema if may_be_toasted(column_source_type(column))]
    if not large:
        return ""
    return (
        f"-- Unchanged large values of {', '.join(large)} may be missing from an update.\n"
        f"-- To have them always: ALTER TABLE {qualified(schema, table.name)}"
        " REPLICA IDENTITY FULL;\n"
    )


def column_source_type(column: Column) -> str:
    """Give the PostgreSQL type of a column: its `source_type`, else the one of its lake type."""
    if column.source_type is None:
        return default_source_type(column.type)
    return source_type(column.source_type)


def quoted(identifier: str) -> str:
    """Quote a PostgreSQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def qualified(schema: str, table: str) -> str:
    """Quote a table's name with its schema."""
    return f"{quoted(schema)}.{quoted(table)}"


def _create_schema(schema: str) -> Statement:
    return Statement(f"create schema {schema}", f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")


def _create_table(schema: str, table: Table) -> Statement:
    key = ", ".join(quoted(name) for name in table.primary_key)
    lines = [*_column_lines(table), f"    PRIMARY KEY ({key})"]
    body = ",\n".join(lines)
    return Statement(
        f"create table {table.name}",
        f"CREATE TABLE IF NOT EXISTS {qualified(schema, table.name)} (\n{body}\n)",
    )


def _column_lines(table: Table) -> Iterable[str]:
    for column in table.schema:
        required = not column.nullable or column.name in table.primary_key
        suffix = " NOT NULL" if required else ""
        yield f"    {quoted(column.name)} {column_source_type(column)}{suffix}"
