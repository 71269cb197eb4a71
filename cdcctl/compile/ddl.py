"""PostgreSQL tables of the source database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from glue_job.contract.model import Column, Pipeline, Table
from glue_job.contract.source_types import SourceType
from glue_job.contract.types import DataType

_BY_LAKE_TYPE = {
    "integer": "integer",
    "long": "bigint",
    "double": "double precision",
    # `text` is a LOB to DMS, which cuts it at the task's LobMaxSize; a bounded varchar is not.
    "string": "varchar(255)",
    "boolean": "boolean",
    "timestamp": "timestamp with time zone",
    "date": "date",
}

TOAST_CHARACTERS = 500
"""A row of up to 2 kB stays in line; this many characters of four bytes reach that."""


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


def column_additions(pipeline: Pipeline) -> tuple[Statement, ...]:
    """Give the statements that bring an older table up to the config: columns that may be null."""
    schema = pipeline.source_database.schema_name
    return tuple(
        column_addition(schema, table, column)
        for table in pipeline.streamed_tables
        for column in table.schema
        if column.nullable and column.name not in table.primary_key
    )


def column_addition(schema: str, table: Table, column: Column) -> Statement:
    """Give the statement that adds a column to a table that lacks it."""
    return Statement(
        f"add column {table.name}.{column.name}",
        f"ALTER TABLE {qualified(schema, table.name)} ADD COLUMN IF NOT EXISTS"
        f" {column_definition(table, column)}",
    )


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
    large = [column.name for column in table.schema if may_be_toasted(column)]
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
    SourceType.parse(column.source_type)
    return " ".join(column.source_type.lower().split())


def default_source_type(data_type: DataType) -> str:
    """Give the PostgreSQL type of a column that names none."""
    if data_type.name == "decimal":
        return f"numeric({data_type.precision},{data_type.scale})"
    return _BY_LAKE_TYPE[data_type.name]


def may_be_toasted(column: Column) -> bool:
    """Tell whether PostgreSQL may leave an unchanged value of a column out of an update."""
    kind = SourceType.parse(column_source_type(column))
    if kind.name == "varchar":
        return not kind.arguments or kind.arguments[0] >= TOAST_CHARACTERS
    return kind.is_array or kind.name in {"text", "citext", "json", "jsonb", "xml", "bytea"}


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
        yield f"    {column_definition(table, column)}"


def column_definition(table: Table, column: Column) -> str:
    """Give a column's name, type and whether it is required."""
    required = not column.nullable or column.name in table.primary_key
    suffix = " NOT NULL" if required else ""
    return f"{quoted(column.name)} {column_source_type(column)}{suffix}"
