"""What the lake itself tells of each table: the job's own records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cdcctl.lake.reader import ROWS, Lake
from cdcctl.lake.sql import literal
from cdcctl.operations.metrics import Measurement, newest_by_check


@dataclass(frozen=True)
class TableLake:
    """One table: its newest batch, what became of messages lately, and breached checks."""

    newest_batch_at: datetime | None = None
    rows: int | None = None
    consumed_hour: int = 0
    quarantined_hour: int = 0
    quarantined_day: int = 0
    trend: tuple[float | None, ...] = ()
    """Refused messages in each of the last hours, oldest first."""
    breached: tuple[Measurement, ...] = ()
    rules: Mapping[str, int] = field(default_factory=dict)
    """Refused messages of the last day by rule."""


_HOURS = 5


def read_lake(lake: Lake, tables: tuple[str, ...], now: datetime) -> dict[str, TableLake]:
    """Read batch log, metrics and quarantine of every table."""
    batches = _batches(lake, now)
    breached = _breached(lake, tables)
    return {
        name: TableLake(
            rows=_current_rows(lake, name),
            breached=breached.get(name, ()),
            rules=_refused_by_rule(lake, name, now) if name in batches else {},
            **batches.get(name, {}),
        )
        for name in tables
    }


def _batches(lake: Lake, now: datetime) -> dict[str, dict[str, Any]]:
    log = lake.batches()
    if log is None:
        return {}
    newest = log.query(
        f"SELECT table_name, max(processed_at) AS newest FROM {ROWS} GROUP BY table_name"
    )
    lately = log.query(
        f"SELECT table_name, processed_at, consumed, quarantined FROM {ROWS}"
        f" WHERE processed_at >= {literal(now - timedelta(days=1))}"
    )
    found: dict[str, dict[str, Any]] = {
        row["table_name"]: {"newest_batch_at": row["newest"]} for row in newest
    }
    for name, told in found.items():
        own = [
            (row, (now - row["processed_at"]).total_seconds() / 3600)
            for row in lately
            if row["table_name"] == name
        ]
        told["quarantined_day"] = sum(row["quarantined"] for row, _ in own)
        told["consumed_hour"] = sum(row["consumed"] for row, hours in own if hours < 1)
        by_hour = [0.0] * _HOURS
        for row, hours in own:
            if 0 <= hours < _HOURS:
                by_hour[_HOURS - 1 - int(hours)] += row["quarantined"]
        told["quarantined_hour"] = int(by_hour[-1])
        told["trend"] = tuple(by_hour)
    return found


def _breached(lake: Lake, tables: tuple[str, ...]) -> dict[str, tuple[Measurement, ...]]:
    metrics = lake.metrics()
    if metrics is None:
        return {}
    newest = (Measurement.of(row) for row in newest_by_check(metrics, 1))
    measured = sorted(
        (each for each in newest if each.passed is False),
        key=lambda each: each.measured_at,
        reverse=True,
    )
    return {name: tuple(m for m in measured if m.table == name) for name in tables}


def _current_rows(lake: Lake, name: str) -> int | None:
    history = lake.history(name)
    if history is None:
        return None
    (row,) = history.query(f"SELECT count(*) AS n FROM {ROWS} WHERE _is_current")
    return int(row["n"])


def _refused_by_rule(lake: Lake, name: str, now: datetime) -> dict[str, int]:
    refused = lake.quarantine(name)
    if refused is None:
        return {}
    rows = refused.query(
        f"SELECT _failed_rule AS rule, count(*) AS n FROM {ROWS}"
        f" WHERE _quarantined_at >= {literal(now - timedelta(days=1))}"
        " GROUP BY _failed_rule ORDER BY n DESC, rule"
    )
    return {row["rule"]: row["n"] for row in rows}
