"""Reads a key as an operator types it: `7`, `7,eu` or `id=7,region=eu`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.lake.sql import Value, identifier, literal
from glue_job.contract.model import Table

_BOOLEANS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def read_key(
    name: str, text: str, columns: Mapping[str, str], table: Table | None
) -> dict[str, Value]:
    """Read a key of table `name` by the types that its lake table's `columns` have."""
    if table is not None:
        names: Sequence[str] = table.primary_key
        given = _given_values(name, text, names)
    else:
        given = _named_values(text)
        names = tuple(given)
        unknown = [each for each in names if each not in columns]
        if not names or unknown:
            raise _bad_key(name, text, "no config tells its key columns: name them, COLUMN=VALUE")
    missing = [each for each in names if each not in columns]
    if missing:
        raise CdcctlError(
            "LAK008",
            f"key column `{missing[0]}` of the config is not in the lake's {name}",
            why=f"the lake has: {', '.join(columns)}",
            fix="use the config that the lake was written with (--config)",
            exit_code=ExitCode.CONFIG,
        )
    return {each: _typed(name, text, each, columns[each], given[each]) for each in names}


def where_key(key: Mapping[str, Value], prefix: str = "") -> str:
    """Spell the SQL condition for a key; `prefix` stands before each column's name."""
    return " AND ".join(
        f"{identifier(prefix + name)} = {literal(value)}" for name, value in key.items()
    )


def _given_values(name: str, text: str, columns: Sequence[str]) -> dict[str, str]:
    named = _named_values(text)
    if named and named.keys() == set(columns):
        return named
    if len(columns) == 1:
        return {columns[0]: text}
    parts = [part.strip() for part in text.split(",")]
    if named or len(parts) != len(columns):
        shape = ",".join(f"{each}=..." for each in columns)
        raise _bad_key(name, text, f"the key of {name} has {len(columns)} columns: {shape}")
    return dict(zip(columns, parts, strict=True))


def _named_values(text: str) -> dict[str, str]:
    """Read `a=1,b=2`; empty when a part has no name."""
    parts = [part.partition("=") for part in text.split(",")]
    if any(not equals for _, equals, _ in parts):
        return {}
    return {name.strip(): value.strip() for name, _, value in parts}


def _typed(name: str, key: str, column: str, kind: str, text: str) -> Value:
    try:
        return _parsed(kind, text)
    except (ValueError, InvalidOperation, KeyError):
        raise _bad_key(name, key, f"`{text}` is not a value of {column}, which is {kind}") from None


def _parsed(kind: str, text: str) -> Value:
    match kind:
        case "string":
            return text
        case "byte" | "short" | "integer" | "long":
            return int(text)
        case "float" | "double":
            return float(text)
        case "boolean":
            return _BOOLEANS[text.lower()]
        case "date":
            return date.fromisoformat(text)
        case "timestamp" | "timestamp_ntz":
            read = datetime.fromisoformat(text)
            return read if read.tzinfo is not None else read.replace(tzinfo=UTC)
        case _ if kind.startswith("decimal"):
            return Decimal(text)
    raise ValueError(kind)


def _bad_key(name: str, text: str, why: str) -> CdcctlError:
    return CdcctlError(
        "USE005",
        f"`{text}` is not a key of {name}",
        why=why,
        fix=f"cdcctl history show {name} COLUMN=VALUE",
        exit_code=ExitCode.USAGE,
    )
