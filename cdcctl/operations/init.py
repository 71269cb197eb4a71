"""Makes the files that a pipeline of one's own begins with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cdcctl.compile.ddl import default_source_type
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.output_files import write_inside
from cdcctl.operations.source_catalog import FoundColumn, FoundTable, read_tables
from glue_job.contract.lake import METRICS_TABLE
from glue_job.contract.loader import load
from glue_job.contract.schema import IDENTIFIER, rendered_schema
from glue_job.contract.source_types import SourceType
from glue_job.contract.types import MAX_PRECISION, DataType

CONFIG_FILE = Path("config/tables.yaml")
_SCHEMA_FILE = Path("config/tables.schema.json")
_TOOL_FILE = Path("cdcctl.toml")

_TOOL = """\
# Defaults of options; a flag or a CDCCTL_* variable stands over them.
config = "config/tables.yaml"
# stack = "demo"
# region = "eu-central-1"

# [env.prod]                           # cdcctl status --env prod
# stack = "live"
# expected_account = "123456789012"    # another account is refused
"""

_HEAD = """\
# yaml-language-server: $schema=./tables.schema.json
# Check it with `cdcctl validate-config`; `cdcctl rules` lists rules, transforms and metrics.
# Defaults: topic cdc-{{name}}, path s3://{{stack}}-delta-{{account}}/{{name}}/.
# Beside its schema a table may have, and a column `pii: true`:
#   dq_rules:
#     - {{id: ord_001, type: range, column: amount, params: {{min: 0}}, severity: error}}
#   deequ_checks:
#     - {{metric: completeness, column: customer_email, threshold: 0.95}}
#   transforms:
#     - {{id: ord_tx_001, type: mask_pii, column: phone, params: {{visible_chars: 4}}}}

settings:
  trigger_interval: "15 seconds"
  # circuit_breaker: {{max_quarantine_ratio: 0.2, min_rows: 500}} # stop rather than refuse it all

source_database:
  schema_name: {schema}

tables:
"""

_EXAMPLE = FoundTable(
    "orders",
    (
        FoundColumn("id", "bigint", is_required=True),
        FoundColumn("customer_email", "character varying(255)", is_required=True),
        FoundColumn("amount", "numeric(12,2)", is_required=True),
        FoundColumn("updated_at", "timestamp with time zone", is_required=False),
    ),
    ("id",),
)
_LAKE_TYPES = {
    "smallint": "integer",
    "integer": "integer",
    "bigint": "long",
    "real": "double",
    "double precision": "double",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "timestamp with time zone": "timestamp",
}


@dataclass(frozen=True)
class InitRequest:
    """Where to, and which database to draft from; None for a commented example."""

    folder: Path
    dsn: str | None = None
    schema: str = "public"


@dataclass(frozen=True)
class InitReport:
    """The files that were made, and what the draft leaves out."""

    files: tuple[Path, ...]
    tables: tuple[str, ...]
    warnings: tuple[str, ...]


def init(request: InitRequest) -> InitReport:
    """Write the config, its JSON Schema and cdcctl.toml; raise rather than overwrite."""
    targets = (CONFIG_FILE, _SCHEMA_FILE, _TOOL_FILE)
    there = [str(file) for file in targets if (request.folder / file).exists()]
    if there:
        raise CdcctlError(
            "USE044",
            f"{', '.join(there)} in {request.folder} would be overwritten",
            fix="name another folder: cdcctl init DIR",
            exit_code=ExitCode.USAGE,
        )
    found = (_EXAMPLE,) if request.dsn is None else read_tables(request.dsn, request.schema)
    left_out = tuple(_left_out(found))
    kept = tuple(table for table in map(_usable, found) if table is not None)
    if not kept:
        raise CdcctlError(
            "DB006",
            f"no table of schema `{request.schema}` can be replicated",
            why="; ".join(left_out),
            fix="give a table a primary key, or name another schema with --schema",
            exit_code=ExitCode.CONFIG,
        )
    text = draft_config(kept, request.schema)
    refused = [each.message for each in load(text, str(CONFIG_FILE)).findings if each.is_error]
    if refused:
        raise CdcctlError(
            "DB007",
            "the database has what tables.yaml cannot name",
            why="; ".join(refused),
            fix="rename it at the source, or write the config by hand: cdcctl init",
            exit_code=ExitCode.CONFIG,
        )
    texts = (text, rendered_schema(), _TOOL)
    try:
        for file, content in zip(targets, texts, strict=True):
            write_inside(request.folder, str(file), content, mode="x")
    except OSError as error:
        raise CdcctlError(
            "USE045",
            f"{error.filename} cannot be written",
            why=error.strerror or str(error),
            fix="name another folder: cdcctl init DIR",
            exit_code=ExitCode.USAGE,
        ) from error
    files = tuple(request.folder / file for file in targets)
    return InitReport(files, tuple(table.name for table in kept), left_out)


def draft_config(tables: Iterable[FoundTable], schema: str) -> str:
    """Give the text of a tables.yaml for tables of a database."""
    return _HEAD.format(schema=_scalar(schema)) + "\n".join(_entry(table) for table in tables)


def _is_name(name: str) -> bool:
    return re.search(IDENTIFIER, name) is not None and not name.startswith("_")


def _left_out(tables: Iterable[FoundTable]) -> Iterator[str]:
    for table in tables:
        if not table.primary_key:
            yield f"table {table.name} is left out: it has no primary key"
        elif not _has_usable_names(table):
            yield (
                f"table {table.name} is left out: its name or key is not lower-case letters,"
                " digits and `_`"
            )
        else:
            for column in table.columns:
                if not _is_name(column.name):
                    yield f"column {table.name}.{column.name} is left out: the lake cannot name it"


def _has_usable_names(table: FoundTable) -> bool:
    return table.name != METRICS_TABLE and all(map(_is_name, (table.name, *table.primary_key)))


def _usable(table: FoundTable) -> FoundTable | None:
    """Give the part of a table that a config can name."""
    if not table.primary_key or not _has_usable_names(table):
        return None
    columns = tuple(column for column in table.columns if _is_name(column.name))
    return FoundTable(table.name, columns, table.primary_key)


def _entry(table: FoundTable) -> str:
    key = [_scalar(name) for name in table.primary_key]
    lines = [
        f"  - name: {_scalar(table.name)}",
        f"    primary_key: {key[0] if len(key) == 1 else '[' + ', '.join(key) + ']'}",
        "    schema:",
        *(f"      - {_column(column)}" for column in table.columns),
        *_suggestions(table),
    ]
    return "\n".join(lines) + "\n"


def _column(column: FoundColumn) -> str:
    lake, source, note = _types(column)
    parts = [f"name: {_scalar(column.name)}", f"type: {_scalar(lake)}"]
    if source != default_source_type(DataType.parse(lake)):
        parts.append(f"source_type: {_scalar(source)}")
    if column.is_required:
        parts.append("nullable: false")
    return f"{{{', '.join(parts)}}}{note}"


def _types(column: FoundColumn) -> tuple[str, str, str]:
    """Choose the lake's type and the source's, with a note where the config cannot name that."""
    try:
        source = SourceType.parse(column.type)
    except ValueError:
        note = f" # at the source: {' '.join(column.type.split())}"
        if column.type == "numeric":
            return "decimal(38,6)", "numeric(38,6)", f"{note}; DMS rounds it to 6 decimals"
        return "string", "text", note
    lake = "string" if source.is_array else _LAKE_TYPES.get(source.name, "string")
    if source.name == "numeric" and not source.is_array:
        precision, scale = (*source.arguments, 0)[:2]
        lake = f"decimal({precision},{scale})" if precision <= MAX_PRECISION else "string"
    return lake, _usual(source), ""


def _usual(source: SourceType) -> str:
    arguments = f"({','.join(map(str, source.arguments))})" if source.arguments else ""
    name, space, zone = source.name.partition(" with ")
    return f"{name}{arguments}{space}{zone}{'[]' if source.is_array else ''}"


def _suggestions(table: FoundTable) -> Iterator[str]:
    """Give rules worth a thought, as comments."""
    rules = [
        *(
            f"type: allowed_values, column: {_scalar(column.name)},"
            f" params: {{values: {_values(column.labels)}}}"
            for column in table.columns
            if column.labels
        ),
        *(
            f"type: not_null, column: {_scalar(column.name)}"
            for column in table.columns
            if column.is_required and column.name not in table.primary_key
        ),
    ]
    if rules:
        yield "    # dq_rules:"
    for number, rule in enumerate(rules, 1):
        yield f"    #   - {{id: {_scalar(f'{table.name}_{number:03}')}, {rule}, severity: error}}"


def _values(labels: Sequence[str]) -> str:
    return "[" + ", ".join(json.dumps(label) for label in labels) + "]"


def _scalar(text: str) -> str:
    """Spell a text so that YAML reads it as one."""
    is_plain = re.fullmatch("[a-z_][a-z0-9_]*(-[a-z0-9_]+)*", text) and text not in _YAML_WORDS
    return text if is_plain else json.dumps(text)


_YAML_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
