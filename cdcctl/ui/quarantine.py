"""Screens of `cdcctl quarantine`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.text import Text

from cdcctl.operations import json_text
from cdcctl.operations.quarantine import Failure, QuarantineReport, RefusedRow, StatsReport
from cdcctl.ui import tables
from cdcctl.ui.output import Document
from cdcctl.ui.tables import Heading, spelled

_BAD = "bold red"
_TREND_HOURS = 24
_CELL = 40
"""Longer values are cut in lists; `inspect` shows them whole."""


def rows_document(report: QuarantineReport) -> Document:
    """Give the refused rows for machines; CSV has the failing column and its value first."""
    documents = [row.as_document() for row in report.rows]
    return Document(
        "quarantine-rows/v1",
        {"table": report.table, "matching": report.matching, "rows": documents},
        documents,
        warnings=report.warnings,
        flat=[_flat(row) for row in report.rows],
    )


def row_document(report: QuarantineReport) -> Document:
    """Give everything known of one message for machines."""
    documents = [
        {**row.as_document(), "kafka_timestamp": row.kafka_timestamp, "raw": row.raw}
        for row in report.rows
    ]
    return Document(
        "quarantine-row/v1",
        {"table": report.table, "rows": documents},
        documents,
        warnings=report.warnings,
        flat=[{**_flat(row), "_raw_value": row.raw} for row in report.rows],
    )


def stats_document(report: StatsReport) -> Document:
    """Give the counts for machines."""
    counts = [count.as_document() for count in report.counts]
    return Document(
        "quarantine-stats/v1",
        {"rows": dict(report.rows), "counts": counts},
        counts,
        columns=("table", "rule", "hour", "rows"),
        warnings=report.warnings,
        flat=[
            {"table": count.table, "rule": count.rule, "hour": hour, "rows": rows}
            for count in report.counts
            for hour, rows in count.hours.items()
            if rows
        ],
    )


def show_rows(report: QuarantineReport, *, all_columns: bool, now: datetime, options: str) -> None:
    """Draw the newest refused rows: what failed first, then where it is and when it came."""
    if not report.rows:
        tables.show(f"{report.table}: no quarantined row matches")
        return
    count = f"{len(report.rows):,} of {report.matching:,}"
    tables.show(Text(f"{report.table}: {count} quarantined rows, newest first", style="bold"))
    if all_columns:
        for row in report.rows:
            _show_block(row, now)
        return
    headings = (
        Heading("FAILED", is_wide=True, style=_BAD),
        Heading("RULE", is_wide=True),
        Heading("KEY", is_wide=True),
        Heading("ID"),
        Heading("WHEN"),
    )
    tables.show(tables.table(headings, (_cells(row, now) for row in report.rows)))
    tables.show(
        Text(
            f"more: cdcctl quarantine inspect {report.table} {report.rows[0].id}{options}",
            style="dim",
        )
    )


def show_row(report: QuarantineReport) -> None:
    """Draw one message: every failed rule, where it came from, and the message itself."""
    for row in report.rows:
        tables.show(Text(f"{report.table} {row.topic}:{row.id}", style="bold"))
        headings = (
            Heading("FAILED"),
            Heading("COLUMN"),
            Heading("EXPECTED", is_wide=True),
            Heading("ACTUAL", is_wide=True, style=_BAD),
        )
        failed = ((f.id, f.column or "", expectation(f), _evidence(f)) for f in row.failures)
        tables.show(tables.table(headings, failed), "")
        tables.show(tables.facts(_origin(row)), "", Text("row as far as it was read", style="bold"))
        tables.show(tables.facts((name, spelled(value)) for name, value in row.values.items()))
        tables.show("", Text("message", style="bold"), _indented(row.raw))


def show_stats(report: StatsReport, now: datetime) -> None:
    """Draw the counts with the course of the last day on record."""
    if not report.counts:
        tables.show("nothing is in quarantine")
        return
    headings = (
        Heading("TABLE", is_wide=True),
        Heading("RULE", is_wide=True),
        Heading("ROWS", "right"),
        Heading("NEWEST"),
        Heading(f"LAST {_TREND_HOURS} HOURS"),
    )
    end = max(count.last_at for count in report.counts)
    drawn = (
        (
            count.table,
            count.rule,
            f"{count.rows:,}",
            tables.ago(count.last_at, now),
            tables.sparkline(_last_hours(count.hours, end), low=0),
        )
        for count in report.counts
    )
    tables.show(tables.table(headings, drawn))
    total = ", ".join(f"{name} {rows:,}" for name, rows in report.rows.items())
    tables.show(
        Text(f"rows: {total}", style="dim"),
        Text("a row that fails two rules counts in both", style="dim"),
    )


def expectation(failure: Failure) -> str:
    """Say what a check wanted, from its parameters."""
    params = failure.params
    match failure.type:
        case "range":
            return _bounds(params.get("min"), params.get("max"))
        case "length":
            return f"{_bounds(params.get('min'), params.get('max'))} characters"
        case "allowed_values":
            return f"one of {', '.join(spelled(value) for value in params.get('values', ()))}"
        case "regex":
            return f"matches {params.get('pattern')}"
        case "not_null":
            return "a value"
        case "BAD_TYPE" | "NULL_KEY" if "type" in params:
            return f"{params['type']}, not null" if failure.type == "NULL_KEY" else params["type"]
    listed = ", ".join(f"{name}={spelled(value)}" for name, value in params.items())
    return f"{failure.type}({listed})" if listed else failure.type.lower().replace("_", " ")


def _bounds(low: Any, high: Any) -> str:
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"


def _cells(row: RefusedRow, now: datetime) -> tuple[str, ...]:
    first = _leading(row)
    more = f" +{len(row.failures) - 1}" if len(row.failures) > 1 else ""
    return (
        _failed_value(first) if first else "",
        row.failed_rule + more,
        ", ".join(f"{name}={spelled(v)}" for name, v in row.key.items() if v is not None),
        row.id,
        tables.ago(row.quarantined_at, now),
    )


def _evidence(failure: Failure) -> str:
    """Spell the value a check saw; a message that could not be read has none."""
    if failure.actual is None and failure.column is None:
        return ""
    return spelled(failure.actual)


def _failed_value(failure: Failure) -> str:
    value = tables.clipped(_evidence(failure), _CELL)
    return f"{failure.column} = {value}" if failure.column else value


def _leading(row: RefusedRow) -> Failure | None:
    same = (failure for failure in row.failures if failure.id == row.failed_rule)
    return next(same, row.failures[0] if row.failures else None)


def _show_block(row: RefusedRow, now: datetime) -> None:
    failed = {failure.column: failure for failure in row.failures if failure.column}
    rules = ", ".join(failure.id for failure in row.failures)
    tables.show("", Text(f"{row.id}  {rules}  {tables.ago(row.quarantined_at, now)}", "bold"))
    ordered = sorted(row.values, key=lambda name: name not in failed)
    tables.show(
        tables.facts(
            (
                name,
                Text(f"{spelled(failed[name].actual)}   expected {expectation(failed[name])}", _BAD)
                if name in failed
                else spelled(row.values[name]),
            )
            for name in ordered
        )
    )


def _origin(row: RefusedRow) -> Iterable[tuple[str, str]]:
    yield "status", row.status if row.decision is None else f"{row.status} ({row.decision})"
    yield "operation", row.operation or ""
    yield "quarantined", tables.local_time(row.quarantined_at)
    if row.kafka_timestamp is not None:
        yield "in Kafka since", tables.local_time(row.kafka_timestamp)
    yield "topic", row.topic
    yield "partition, offset", f"{row.partition}, {row.offset}"
    yield "batch", spelled(row.batch_id)
    yield "config", row.config_hash or ""


def _indented(raw: str | None) -> str:
    """Break a message over lines; its values stay as they were sent."""
    if raw is None:
        return "none"
    try:
        return json_text.indented(raw)
    except (ValueError, RecursionError):
        return raw


def _last_hours(hours: Mapping[datetime, int], end: datetime) -> list[float]:
    last = _aware(end).replace(minute=0, second=0, microsecond=0)
    known = {_aware(hour): rows for hour, rows in hours.items()}
    ages = range(_TREND_HOURS - 1, -1, -1)
    return [float(known.get(last - timedelta(hours=age), 0)) for age in ages]


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _flat(row: RefusedRow) -> dict[str, Any]:
    first = _leading(row)
    return {
        "_failed_rule": row.failed_rule,
        "_column": first.column if first else None,
        "_actual": first.actual if first else None,
        "_status": row.status,
        "_failed_rules": [failure.as_document() for failure in row.failures],
        "_topic": row.topic,
        "_partition": row.partition,
        "_offset": row.offset,
        "_quarantined_at": row.quarantined_at,
        "_operation": row.operation,
        "_batch_id": row.batch_id,
        "_config_hash": row.config_hash,
        **row.values,
    }
