"""Reads the timeline of one key from a table's history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.lake.reader import ROWS, LakeTable, Row
from cdcctl.lake.sql import Value, identifier, literal
from cdcctl.operations.lakes import LakeRequest, OpenedLake, open_requested_lake
from cdcctl.operations.privacy import HIDING_TRANSFORMS, Privacy
from glue_job.contract.model import Table

_BOOLEANS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


@dataclass(frozen=True)
class HistoryRequest:
    """Whose timeline: the key as it was typed, `7`, `7,eu` or `id=7,region=eu`."""

    lake: LakeRequest
    table: str
    key: str
    reveal: bool = False


@dataclass(frozen=True)
class Version:
    """What a row was from one moment until another; the current one has no end."""

    effective_from: datetime
    effective_to: datetime | None
    is_current: bool
    ingested_at: datetime | None
    values: Mapping[str, Any]
    changed: tuple[str, ...]
    """Columns whose value differs from the version before, masked ones too."""

    def as_document(self) -> dict[str, Any]:
        """Give the version as plain data."""
        return {
            "effective_from": self.effective_from,
            "effective_to": self.effective_to,
            "is_current": self.is_current,
            "ingested_at": self.ingested_at,
            "values": dict(self.values),
            "changed": list(self.changed),
        }


@dataclass(frozen=True)
class HistoryReport:
    """The versions of one key, oldest first."""

    table: str
    key: Mapping[str, Any]
    versions: tuple[Version, ...]
    warnings: tuple[str, ...] = ()


def show_history(request: HistoryRequest) -> HistoryReport:
    """Give every version of a key."""
    opened = open_requested_lake(request.lake)
    opened.require_table(request.table)
    history = opened.lake.history(request.table)
    if history is None:
        raise _unknown_key(request, "no row of it was ever accepted")
    table = opened.table(request.table)
    key = _typed_key(request, history, table)
    condition = " AND ".join(f"{identifier(name)} = {literal(v)}" for name, v in key.items())
    found = history.query(f"SELECT * FROM {ROWS} WHERE {condition} ORDER BY _effective_from")
    if not found:
        raise _unknown_key(request, "no accepted event has this key")
    privacy = _privacy(opened, table, request, key)
    return HistoryReport(
        request.table,
        key,
        tuple(
            _version(row, before, privacy)
            for row, before in zip(found, [None, *found], strict=False)
        ),
        opened.warnings,
    )


def _privacy(
    opened: OpenedLake, table: Table | None, request: HistoryRequest, key: Mapping[str, Value]
) -> Privacy:
    """Show the key, which was typed, and what a transform has already hidden in the lake."""
    privacy = Privacy.of(table, reveal=request.reveal)
    stored_hidden = {
        step.column
        for step in (table.transforms if table is not None else ())
        if step.type in HIDING_TRANSFORMS
    }
    return Privacy(privacy.shown | stored_hidden | key.keys(), privacy.reveal)


def _version(row: Row, before: Row | None, privacy: Privacy) -> Version:
    names = [name for name in row if not name.startswith("_")]
    changed = () if before is None else tuple(n for n in names if row[n] != before[n])
    return Version(
        row["_effective_from"],
        row["_effective_to"],
        row["_is_current"],
        row.get("_ingested_at"),
        privacy.values({name: row[name] for name in names}),
        changed,
    )


def _unknown_key(request: HistoryRequest, why: str) -> CdcctlError:
    return CdcctlError(
        "LAK007",
        f"`{request.key}` has no history in {request.table}",
        why=why,
        fix=f"cdcctl quarantine show {request.table}   shows what was refused",
        exit_code=ExitCode.NOT_FOUND,
    )


def _typed_key(
    request: HistoryRequest, history: LakeTable, table: Table | None
) -> dict[str, Value]:
    """Read the key by the types of the lake's key columns."""
    if table is not None:
        names: Sequence[str] = table.primary_key
        given = _given_values(request, names)
    else:
        given = _named_values(request.key)
        names = tuple(given)
        unknown = [name for name in names if name not in history.columns]
        if not names or unknown:
            raise _bad_key(request, "without a config, name its columns: COLUMN=VALUE")
    missing = [name for name in names if name not in history.columns]
    if missing:
        raise CdcctlError(
            "LAK008",
            f"key column `{missing[0]}` of the config is not in the lake's {request.table}",
            why=f"the lake has: {', '.join(history.columns)}",
            fix="use the config that the lake was written with (--config)",
            exit_code=ExitCode.CONFIG,
        )
    return {name: _typed(request, name, history.columns[name], given[name]) for name in names}


def _given_values(request: HistoryRequest, names: Sequence[str]) -> dict[str, str]:
    named = _named_values(request.key)
    if named and named.keys() == set(names):
        return named
    if len(names) == 1:
        return {names[0]: request.key}
    parts = [part.strip() for part in request.key.split(",")]
    if named or len(parts) != len(names):
        shape = ",".join(f"{name}=..." for name in names)
        raise _bad_key(request, f"the key of {request.table} has {len(names)} columns: {shape}")
    return dict(zip(names, parts, strict=True))


def _named_values(key: str) -> dict[str, str]:
    """Read `a=1,b=2`; empty when a part has no name."""
    parts = [part.partition("=") for part in key.split(",")]
    if any(not equals for _, equals, _ in parts):
        return {}
    return {name.strip(): value.strip() for name, _, value in parts}


def _typed(request: HistoryRequest, column: str, kind: str, text: str) -> Value:
    try:
        return _parsed(kind, text)
    except (ValueError, InvalidOperation, KeyError):
        raise _bad_key(request, f"`{text}` is not a value of {column}, which is {kind}") from None


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


def _bad_key(request: HistoryRequest, why: str) -> CdcctlError:
    return CdcctlError(
        "USE005",
        f"`{request.key}` is not a key of {request.table}",
        why=why,
        fix=f"cdcctl history show {request.table} COLUMN=VALUE",
        exit_code=ExitCode.USAGE,
    )
