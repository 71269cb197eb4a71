"""Reads the timeline of one key from a table's history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.lake.reader import ROWS, Row
from cdcctl.operations.keys import read_key, where_key
from cdcctl.operations.lakes import LakeRequest, open_requested_lake
from cdcctl.operations.privacy import Privacy


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
    key = read_key(request.table, request.key, history.columns, table)
    found = history.query(f"SELECT * FROM {ROWS} WHERE {where_key(key)} ORDER BY _effective_from")
    if not found:
        raise _unknown_key(request, "no accepted event has this key")
    privacy = Privacy.of_lake(table, reveal=request.reveal, typed=key)
    return HistoryReport(
        request.table,
        key,
        tuple(
            _version(row, before, privacy)
            for row, before in zip(found, [None, *found], strict=False)
        ),
        opened.warnings,
    )


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
