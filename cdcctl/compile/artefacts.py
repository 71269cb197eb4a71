"""What the stack's Lambdas read: the compiled config as JSON, named by its hash."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from cdcctl.compile.catalog import catalog_entries
from cdcctl.compile.ddl import (
    column_addition,
    column_source_type,
    table_statements,
)
from cdcctl.compile.topics import topics
from glue_job.contract.model import Pipeline, Table

_CANONICAL = (
    (r"^varchar\b", "character varying"),
    (r"^char\b", "character"),
    (r"^decimal\b", "numeric"),
    (r"^(int4|int)$", "integer"),
    (r"^int8$", "bigint"),
    (r"^(int2)$", "smallint"),
    (r"^float8$", "double precision"),
    (r"^float4$", "real"),
    (r"^bool$", "boolean"),
    (r"^timestamptz\b", "timestamp with time zone"),
    (r"^timestamp$", "timestamp without time zone"),
    (r"^time$", "time without time zone"),
)


@dataclass(frozen=True)
class CompiledFile:
    """One file beside the deployed tables.yaml."""

    name: str
    body: bytes

    @property
    def sha256(self) -> str:
        """Give the hash that a Lambda checks."""
        return hashlib.sha256(self.body).hexdigest()


def compiled_files(pipeline: Pipeline) -> dict[str, CompiledFile]:
    """Give `ddl.json`, `topics.json` and `catalog.json`.

    Topics are those of three brokers; kafka-admin fits them to a smaller cluster.
    """
    contents = {
        "ddl.json": ddl_artefact(pipeline),
        "topics.json": {"topics": [each.as_document() for each in topics(pipeline)]},
        "catalog.json": {"tables": list(catalog_entries(pipeline))},
    }
    return {
        name: CompiledFile(name, json.dumps(content, indent=1, ensure_ascii=False).encode())
        for name, content in contents.items()
    }


def ddl_artefact(pipeline: Pipeline) -> dict[str, Any]:
    """Give each table's columns with the statements that make it or add a column."""
    schema = pipeline.source_database.schema_name
    statements = {each.name: each.sql for each in table_statements(pipeline)}
    return {
        "schema": schema,
        "create_schema": statements.get(f"create schema {schema}"),
        "tables": [
            {
                "name": table.name,
                "primary_key": list(table.primary_key),
                "create": statements[f"create table {table.name}"],
                "columns": _columns(schema, table),
            }
            for table in pipeline.streamed_tables
        ],
    }


def _columns(schema: str, table: Table) -> list[dict[str, Any]]:
    return [
        {
            "name": column.name,
            "type": canonical_type(column_source_type(column)),
            "nullable": column.nullable and column.name not in table.primary_key,
            "add": column_addition(schema, table, column).sql,
        }
        for column in table.schema
    ]


def canonical_type(kind: str) -> str:
    """Spell a type as PostgreSQL's format_type does."""
    for pattern, name in _CANONICAL:
        kind = re.sub(pattern, name, kind)
    return kind.replace(", ", ",")
