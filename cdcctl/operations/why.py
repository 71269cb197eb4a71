"""Tells every event of one key: what it was, what became of it, and where that stands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.lake.reader import ROWS, LakeTable, Row
from cdcctl.lake.sql import Value
from cdcctl.operations.keys import read_key, where_key
from cdcctl.operations.lakes import LakeRequest, OpenedLake, open_requested_lake
from cdcctl.operations.privacy import Privacy
from glue_job.contract.lake import LINKED

_POSITION = "_time, _sequenced, _lsn, _record_id, _emitted_at, _release, _partition, _offset"
_UNREADABLE = ("BAD_JSON", "BAD_ENVELOPE")


@dataclass(frozen=True)
class WhyRequest:
    """Whose events: the key as it was typed; and what was true when."""

    lake: LakeRequest
    table: str
    key: str
    at: datetime | None = None
    reveal: bool = False


@dataclass(frozen=True)
class Event:
    """One event of the key, as the lake remembers it."""

    time: datetime | None
    """When it took effect at the source; None when its message does not tell."""
    operation: str | None
    kind: str
    """A kind of the change ledger, or `quarantined`."""
    outcome: str
    topic: str
    partition: int
    offset: int
    application_id: str | None
    batch_id: int | None
    written_at: datetime | None
    history_version: int | None
    """Version of the history table that it changed; None when it did not, or its log is gone."""
    config_hash: str | None
    linked: Mapping[str, Any]
    """The other key of a key change."""
    values: Mapping[str, Any]
    absent: tuple[str, ...] = ()
    failed_rules: tuple[str, ...] = ()
    status: str | None = None
    """Of a quarantined event: open, released or discarded."""

    def as_document(self) -> dict[str, Any]:
        """Give the event as plain data."""
        return {
            "time": self.time,
            "operation": self.operation,
            "kind": self.kind,
            "outcome": self.outcome,
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "application_id": self.application_id,
            "batch_id": self.batch_id,
            "written_at": self.written_at,
            "history_version": self.history_version,
            "config_hash": self.config_hash,
            "linked": dict(self.linked),
            "values": dict(self.values),
            "absent": list(self.absent),
            "failed_rules": list(self.failed_rules),
            "status": self.status,
        }


@dataclass(frozen=True)
class WhyReport:
    """Every event of a key in source order, and what the lake shows of it."""

    table: str
    key: Mapping[str, Any]
    at: datetime | None
    shows: Mapping[str, Any] | None
    """`_effective_from`, `_effective_to` and values of the version asked for, else None."""
    answer: str
    events: tuple[Event, ...]
    warnings: tuple[str, ...] = ()


def explain(request: WhyRequest) -> WhyReport:
    """Tell what became of every event of a key; LAK007 when there is none."""
    opened = open_requested_lake(request.lake)
    opened.require_table(request.table)
    history = opened.lake.history(request.table)
    ledger = opened.lake.changes(request.table)
    refused = opened.lake.quarantine(request.table)
    table = opened.table(request.table)
    held = next((each for each in (history, ledger, refused) if each is not None), None)
    if held is None:
        raise _no_event(request, opened, None)
    key = read_key(request.table, request.key, held.columns, table)
    privacy = Privacy.of_lake(table, reveal=request.reveal, typed=key)
    events = sorted(
        [
            *_accepted(ledger, history, key, privacy),
            *_refused(refused, key, Privacy.of(table, reveal=request.reveal)),
        ],
        key=lambda event: event.time or event.written_at or datetime.max.replace(tzinfo=UTC),
    )
    if not events:
        raise _no_event(request, opened, refused)
    versions = _versions(history, key)
    shown = _shown(versions, request.at)
    return WhyReport(
        request.table,
        key,
        request.at,
        None if shown is None else _values(shown, privacy),
        _answer(events, versions, shown, request.at),
        tuple(events),
        opened.warnings,
    )


def _accepted(
    ledger: LakeTable | None,
    history: LakeTable | None,
    key: Mapping[str, Value],
    privacy: Privacy,
) -> list[Event]:
    if ledger is None:
        return []
    applied_by = history.versions_by_write() if history is not None else {}
    found = ledger.query(f"SELECT * FROM {ROWS} WHERE {where_key(key)} ORDER BY {_POSITION}")
    return [_event(row, applied_by, privacy) for row in found]


def _event(row: Row, applied_by: Mapping[tuple[str, int], int], privacy: Privacy) -> Event:
    present = row["_present"] or ()
    linked = {name.removeprefix(LINKED): v for name, v in row.items() if name.startswith(LINKED)}
    has_link = any(value is not None for value in linked.values())
    return Event(
        time=row["_time"],
        operation=row["_operation"],
        kind=row["_kind"],
        outcome=row["_outcome"],
        topic=row["_topic"],
        partition=row["_partition"],
        offset=row["_offset"],
        application_id=row["_application_id"],
        batch_id=row["_batch_id"],
        written_at=row["_ingested_at"],
        history_version=applied_by.get((row["_application_id"], row["_batch_id"]))
        if row["_outcome"] == "applied"
        else None,
        config_hash=row["_config_hash"],
        linked=privacy.values(linked) if has_link else {},
        values=privacy.values({name: row[name] for name in present if name in row}),
        absent=tuple(row["_absent"] or ()),
    )


def _refused(refused: LakeTable | None, key: Mapping[str, Value], privacy: Privacy) -> list[Event]:
    if refused is None or any(name not in refused.columns for name in key):
        return []
    found = refused.query(f"SELECT * FROM {ROWS} WHERE {where_key(key)}")
    return [
        Event(
            time=_source_time(row["_raw_value"]),
            operation=row.get("_operation"),
            kind="quarantined",
            outcome="quarantined",
            topic=row["_topic"],
            partition=row["_partition"],
            offset=row["_offset"],
            application_id=row.get("_application_id"),
            batch_id=row.get("_batch_id"),
            written_at=row["_quarantined_at"],
            history_version=None,
            config_hash=row.get("_config_hash"),
            linked={},
            values=privacy.values(_data(row)),
            failed_rules=tuple(failed["id"] for failed in row["_failed_rules"] or ()),
            status=row.get("_status") or "open",
        )
        for row in found
    ]


def _data(row: Row) -> Row:
    return {name: value for name, value in row.items() if not name.startswith("_")}


def _source_time(raw: str | None) -> datetime | None:
    """Read when a refused message was committed, else emitted, from the message itself."""
    try:
        metadata = json.loads(raw or "")["metadata"]
        text = metadata.get("commit-timestamp") or metadata.get("timestamp")
        read = datetime.fromisoformat(text)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


def _versions(history: LakeTable | None, key: Mapping[str, Value]) -> list[Row]:
    if history is None:
        return []
    return history.query(f"SELECT * FROM {ROWS} WHERE {where_key(key)} ORDER BY _effective_from")


def _shown(versions: Sequence[Row], at: datetime | None) -> Row | None:
    if at is None:
        return next((row for row in versions if row["_is_current"]), None)
    for row in versions:
        if row["_effective_from"] <= at and (
            row["_effective_to"] is None or at < row["_effective_to"]
        ):
            return row
    return None


def _values(row: Row, privacy: Privacy) -> dict[str, Any]:
    times = ("_effective_from", "_effective_to")
    return {**{name: row[name] for name in times}, **privacy.values(_data(row))}


def _answer(
    events: Sequence[Event], versions: Sequence[Row], shown: Row | None, at: datetime | None
) -> str:
    if shown is not None:
        return "current" if at is None else "there"
    if not versions:
        open_rows = sum(event.status == "open" for event in events)
        if open_rows:
            return f"not there: {open_rows} of {len(events)} events wait in quarantine"
        deleted = all(event.kind in {"delete", "moved_out"} for event in events)
        only = "only deletes have come" if deleted else "no event of it was applied"
        return f"not there: {only}"
    if at is not None and at < versions[0]["_effective_from"]:
        return "not there yet"
    return "deleted"


def _no_event(request: WhyRequest, opened: OpenedLake, refused: LakeTable | None) -> CdcctlError:
    unreadable = 0
    if refused is not None:
        reasons = ", ".join(f"'{reason}'" for reason in _UNREADABLE)
        counted = refused.query(
            f"SELECT count(*) AS n FROM {ROWS} WHERE _failed_rule IN ({reasons})"
        )
        unreadable = counted[0]["n"]
    why = "neither accepted nor refused events have this key"
    if unreadable:
        why += f"; {unreadable:,} refused messages could not be read far enough to tell their key"
    return CdcctlError(
        "LAK007",
        f"no event of {request.table} {request.key} has come to the lake {opened.lake.root}",
        why=why,
        fix=f"cdcctl quarantine show {request.table} --rule BAD_JSON"
        if unreadable
        else "look for the row at the source, and how far the lake is: cdcctl metrics show",
        exit_code=ExitCode.NOT_FOUND,
    )
