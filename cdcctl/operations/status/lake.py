"""What the lake itself tells of each table: the job's own records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cdcctl.lake.reader import ROWS, Lake
from cdcctl.lake.sql import literal
from cdcctl.operations.metrics import Measurement


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
        own = [row for row in lately if row["table_name"] == name]
        ages = [(now - row["processed_at"]).total_seconds() / 3600 for row in own]
        told["quarantined_day"] = sum(row["quarantined"] for row in own)
        told["consumed_hour"] = sum(
            r["consumed"] for r, age in zip(own, ages, strict=True) if age < 1
        )
        by_hour = [0.0] * _HOURS
        for row, age in zip(own, ages, strict=True):
            if 0 <= age < _HOURS:
                by_hour[_HOURS - 1 - int(age)] += row["quarantined"]
        told["quarantined_hour"] = int(by_hour[-1])
        told["trend"] = tuple(by_hour)
    return found


def _breached(lake: Lake, tables: tuple[str, ...]) -> dict[str, tuple[Measurement, ...]]:
    metrics = lake.metrics()
    if metrics is None:
        return {}
    rows = metrics.query(
        f"SELECT * FROM (SELECT *, row_number() OVER"
        f" (PARTITION BY table_name, metric_name, column_name, rule_id"
        f" ORDER BY timestamp DESC, batch_id DESC) AS age FROM {ROWS})"
        f" WHERE age = 1 AND passed = false ORDER BY timestamp DESC"
    )
    measured = [Measurement.of(row) for row in rows]
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
