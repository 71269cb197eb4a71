"""Looks into quarantine: which rows were refused, by which checks, and with which values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.lake.reader import ROWS, LakeTable, Row
from cdcctl.lake.sql import literal
from cdcctl.operations.lakes import LakeRequest, OpenedLake, open_requested_lake
from cdcctl.operations.privacy import Privacy
from cdcctl.operations.row_id import RowId
from glue_job.contract.lake import QUARANTINE_COLUMNS


@dataclass(frozen=True)
class Failure:
    """One check that a row failed; `params` are those of the rule when it ran."""

    id: str
    type: str
    column: str | None
    params: Mapping[str, Any]
    actual: str | None

    def as_document(self) -> dict[str, Any]:
        """Give the failure as plain data."""
        return {
            "id": self.id,
            "type": self.type,
            "column": self.column,
            "params": dict(self.params),
            "actual": self.actual,
        }


@dataclass(frozen=True)
class RefusedRow:
    """One quarantined message, masked as its table's privacy asks."""

    id: str
    quarantined_at: datetime
    failed_rule: str
    failures: tuple[Failure, ...]
    key: Mapping[str, Any]
    values: Mapping[str, Any]
    topic: str
    partition: int
    offset: int
    operation: str | None
    batch_id: int | None
    config_hash: str | None
    kafka_timestamp: datetime | None
    raw: str | None
    status: str = "open"
    decision: str | None = None
    """Who released, tried or discarded it, when and why."""
    attempts: int = 0

    def as_document(self) -> dict[str, Any]:
        """Give the row as plain data, without its raw message."""
        return {
            "id": self.id,
            "quarantined_at": self.quarantined_at,
            "failed_rule": self.failed_rule,
            "failed_rules": [failure.as_document() for failure in self.failures],
            "operation": self.operation,
            "values": dict(self.values),
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "batch_id": self.batch_id,
            "config_hash": self.config_hash,
            "status": self.status,
            "decision": self.decision,
            "attempts": self.attempts,
        }


class Status(StrEnum):
    """Which refused rows are meant."""

    open = "open"
    released = "released"
    discarded = "discarded"
    all = "all"


@dataclass(frozen=True)
class ShowRequest:
    """Which refused rows of a table to show."""

    lake: LakeRequest
    table: str
    limit: int = 20
    rule: str | None = None
    since: datetime | None = None
    batch: int | None = None
    reveal: bool = False
    status: Status = Status.open


@dataclass(frozen=True)
class QuarantineReport:
    """The newest refused rows, and how many there are in all."""

    table: str
    matching: int
    rows: tuple[RefusedRow, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class StatsRequest:
    """Which tables to count, and from when on."""

    lake: LakeRequest
    table: str | None = None
    since: datetime | None = None
    status: Status = Status.open


@dataclass(frozen=True)
class RuleCount:
    """How many rows of a table failed one check, by hour; `hours` has no gap."""

    table: str
    rule: str
    rows: int
    first_at: datetime
    last_at: datetime
    hours: Mapping[datetime, int] = field(default_factory=dict)

    def as_document(self) -> dict[str, Any]:
        """Give the count as plain data."""
        return {
            "table": self.table,
            "rule": self.rule,
            "rows": self.rows,
            "first_at": self.first_at,
            "last_at": self.last_at,
            "hours": [{"hour": hour, "rows": rows} for hour, rows in self.hours.items()],
        }


@dataclass(frozen=True)
class StatsReport:
    """Counts by table and rule; a row that fails two rules counts in both."""

    counts: tuple[RuleCount, ...]
    rows: Mapping[str, int]
    """Refused rows by table, each once."""
    warnings: tuple[str, ...] = ()


def show_quarantine(request: ShowRequest) -> QuarantineReport:
    """Give the newest refused rows of a table."""
    opened = open_requested_lake(request.lake)
    opened.require_table(request.table)
    refused = opened.lake.quarantine(request.table)
    if refused is None:
        return QuarantineReport(request.table, 0, (), opened.warnings)
    source = selected(request, refused)
    matching = refused.query(f"SELECT count(*) AS n FROM {source}")[0]["n"]
    newest = "ORDER BY q._quarantined_at DESC, q._partition DESC, q._offset DESC"
    found = refused.query(f"SELECT q.* FROM {source} {newest} LIMIT {request.limit}")
    return QuarantineReport(
        request.table,
        matching,
        _rows(found, opened, request.table, reveal=request.reveal),
        opened.warnings,
    )


def inspect_quarantine(
    lake: LakeRequest, table: str, row_id: str, *, reveal: bool = False
) -> QuarantineReport:
    """Give everything known of one refused message; a topic made anew may hold several."""
    place = RowId.parse(row_id, table)
    opened = open_requested_lake(lake)
    opened.require_table(table)
    refused = opened.lake.quarantine(table)
    conditions = [f"_partition = {place.partition}", f"_offset = {place.offset}"]
    if place.topic:
        conditions.append(f"_topic = {literal(place.topic)}")
    found = (
        []
        if refused is None
        else refused.query(
            f"SELECT * FROM {ROWS} WHERE {' AND '.join(conditions)} ORDER BY _quarantined_at DESC"
        )
    )
    if not found:
        raise CdcctlError(
            "QUA001",
            f"no quarantined row {row_id} in {table}",
            fix=f"cdcctl quarantine show {table}",
            exit_code=ExitCode.NOT_FOUND,
        )
    rows = _rows(found, opened, table, reveal=reveal)
    return QuarantineReport(table, len(rows), rows, opened.warnings)


def count_quarantine(request: StatsRequest) -> StatsReport:
    """Count refused rows by table, failed check and hour."""
    opened = open_requested_lake(request.lake)
    if request.table is not None:
        opened.require_table(request.table)
        names: Sequence[str] = (request.table,)
    else:
        names = opened.lake.table_names()
    counts: list[RuleCount] = []
    rows: dict[str, int] = {}
    for name in names:
        refused = opened.lake.quarantine(name)
        if refused is None:
            continue
        conditions = _status_is(request.status, refused)
        if request.since is not None:
            conditions.append(f"q._quarantined_at >= {literal(request.since)}")
        condition = _all_of(conditions)
        total = refused.query(f"SELECT count(*) AS n FROM {ROWS} AS q {condition}")[0]["n"]
        if total:
            rows[name] = total
            counts += _counts(name, refused, condition)
    return StatsReport(tuple(counts), rows, opened.warnings)


def selected(request: ShowRequest, refused: LakeTable) -> str:
    """Spell the FROM and WHERE of the rows that are meant, as `q`."""
    return f"{ROWS} AS q" + _only_failing(request.rule) + _where(request, refused)


def _only_failing(rule: str | None) -> str:
    """Keep the rows that fail a rule, be it their first or a later one."""
    if rule is None:
        return ""
    failing = (
        f"SELECT p, o, t FROM (SELECT _partition AS p, _offset AS o, _topic AS t,"
        f" unnest(_failed_rules) AS failed FROM {ROWS}) WHERE failed['id'] = {literal(rule)}"
    )
    return (
        f" LEFT SEMI JOIN ({failing}) AS m"
        " ON q._partition = m.p AND q._offset = m.o AND q._topic = m.t"
    )


def _where(request: ShowRequest, refused: LakeTable) -> str:
    conditions = _status_is(request.status, refused)
    if request.since is not None:
        conditions.append(f"q._quarantined_at >= {literal(request.since)}")
    if request.batch is not None:
        conditions.append(f"q._batch_id = {request.batch}")
    return _all_of(conditions)


def _status_is(status: Status, refused: LakeTable) -> list[str]:
    if status is Status.all:
        return []
    if "_status" not in refused.columns:
        return [] if status is Status.open else ["false"]
    return [f"coalesce(q._status, 'open') = {literal(status.value)}"]


def _all_of(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _counts(table: str, refused: LakeTable, condition: str) -> list[RuleCount]:
    found = refused.query(
        "SELECT rule, hour, count(*) AS n, min(at) AS first_at, max(at) AS last_at FROM ("
        " SELECT date_trunc('hour', at) AS hour, at, failed['id'] AS rule FROM ("
        " SELECT q._quarantined_at AS at, unnest(q._failed_rules) AS failed"
        f" FROM {ROWS} AS q {condition}))"
        " GROUP BY rule, hour ORDER BY rule, hour"
    )
    by_rule: dict[str, list[Row]] = {}
    for row in found:
        by_rule.setdefault(row["rule"], []).append(row)
    counts = [
        RuleCount(
            table,
            rule,
            sum(row["n"] for row in rows),
            min(row["first_at"] for row in rows),
            max(row["last_at"] for row in rows),
            _without_gaps({row["hour"]: row["n"] for row in rows}),
        )
        for rule, rows in by_rule.items()
    ]
    return sorted(counts, key=lambda count: (-count.rows, count.rule))


def _without_gaps(hours: Mapping[datetime, int]) -> dict[datetime, int]:
    first, last = min(hours), max(hours)
    span = int((last - first) / timedelta(hours=1))
    every = (first + timedelta(hours=step) for step in range(span + 1))
    return {hour: hours.get(hour, 0) for hour in every}


def _rows(
    found: Sequence[Row], opened: OpenedLake, table: str, *, reveal: bool
) -> tuple[RefusedRow, ...]:
    config = opened.table(table)
    privacy = Privacy.of(config, reveal=reveal)
    key = config.primary_key if config is not None else ()
    return tuple(refused_row(row, privacy, key) for row in found)


def refused_row(row: Row, privacy: Privacy, key: Sequence[str]) -> RefusedRow:
    """Read a row of quarantine as it may be shown."""
    values = {name: value for name, value in row.items() if name not in QUARANTINE_COLUMNS}
    sent = _sent_fields(row["_raw_value"])
    failures = tuple(
        Failure(
            failed["id"],
            failed["type"],
            failed["column"],
            json.loads(failed["params"] or "{}"),
            privacy.evidence(failed["id"], failed["column"], _actual(failed, sent)),
        )
        for failed in row["_failed_rules"] or ()
    )
    shown = privacy.values(values)
    return RefusedRow(
        id=f"{row['_partition']}:{row['_offset']}",
        quarantined_at=row["_quarantined_at"],
        failed_rule=row["_failed_rule"],
        failures=failures,
        key={name: shown[name] for name in key if name in shown},
        values=shown,
        topic=row["_topic"],
        partition=row["_partition"],
        offset=row["_offset"],
        operation=row.get("_operation"),
        batch_id=row.get("_batch_id"),
        config_hash=row.get("_config_hash"),
        kafka_timestamp=row.get("_kafka_timestamp"),
        raw=privacy.envelope(row["_raw_value"]),
        status=row.get("_status") or "open",
        decision=_decision(row),
        attempts=row.get("_attempts") or 0,
    )


def _decision(row: Row) -> str | None:
    if row.get("_status_at") is None:
        return None
    reason = row["_status_reason"]
    return f"{row['_status_by']}, {row['_status_at']:%Y-%m-%dT%H:%M:%SZ}" + (
        f": {reason}" if reason else ""
    )


def _actual(failed: Mapping[str, Any], sent: Mapping[str, str]) -> str | None:
    """Give the value a check saw; one that was not of its type is taken from the message."""
    actual: str | None = failed["actual"]
    if actual is None and failed["column"] is not None:
        return sent.get(failed["column"].lower())
    return actual


def _sent_fields(raw: str | None) -> dict[str, str]:
    """Give the text of each field that is not null in a message's data."""
    try:
        message = json.loads(raw or "", parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return {}
    data = message.get("data") if isinstance(message, dict) else None
    if not isinstance(data, dict):
        return {}
    return {
        name.lower(): value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in data.items()
        if value is not None
    }
