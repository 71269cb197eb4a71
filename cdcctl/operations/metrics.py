"""Reads the metrics table: the latest value of each check, and new values as they arrive."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.lake.reader import ROWS, LakeTable, Row
from cdcctl.lake.sql import literal
from cdcctl.operations.lakes import LakeRequest, open_requested_lake
from glue_job.contract.lake import METRIC_COLUMNS

TREND_LENGTH = 20
POLL_SECONDS = 1.0
_CHECK = "table_name, metric_name, column_name, rule_id"


@dataclass(frozen=True)
class Measurement:
    """One value of a check in one batch."""

    table: str
    metric: str
    column: str | None
    value: float | None
    threshold: float | None
    passed: bool | None
    severity: str | None
    rule: str | None
    batch_id: int
    measured_at: datetime

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Measurement:
        """Take a row of the metrics table."""
        return cls(
            table=row["table_name"],
            metric=row["metric_name"],
            column=row["column_name"],
            value=row["metric_value"],
            threshold=row["threshold"],
            passed=row["passed"],
            severity=row["severity"],
            rule=row["rule_id"],
            batch_id=row["batch_id"],
            measured_at=row["timestamp"],
        )

    def as_document(self) -> dict[str, Any]:
        """Give the measurement as plain data."""
        return {
            "table": self.table,
            "metric": self.metric,
            "column": self.column,
            "value": self.value,
            "threshold": self.threshold,
            "passed": self.passed,
            "severity": self.severity,
            "rule": self.rule,
            "batch_id": self.batch_id,
            "measured_at": self.measured_at,
        }


@dataclass(frozen=True)
class Check:
    """A check's latest measurement and its values before it, oldest first."""

    latest: Measurement
    trend: tuple[float | None, ...]

    def as_document(self) -> dict[str, Any]:
        """Give the check as plain data."""
        return {**self.latest.as_document(), "trend": list(self.trend)}


@dataclass(frozen=True)
class MetricsRequest:
    """Which measurements to read."""

    lake: LakeRequest
    table: str | None = None
    only_failed: bool = False


@dataclass(frozen=True)
class ChecksReport:
    """The latest state of every check."""

    checks: tuple[Check, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class MeasurementsReport:
    """The newest measurements, oldest first."""

    measurements: tuple[Measurement, ...]
    warnings: tuple[str, ...] = ()


def latest_checks(request: MetricsRequest) -> ChecksReport:
    """Give each check's latest value; `only_failed` keeps those whose latest value is a breach."""
    table, warnings = _open(request)
    if table is None:
        return ChecksReport((), warnings)
    where = "" if request.table is None else f"WHERE table_name = {literal(request.table)}"
    found = newest_by_check(table, TREND_LENGTH, where)
    by_check: dict[tuple[Any, ...], list[Row]] = {}
    for row in found:
        identity = (row["table_name"], row["metric_name"], row["column_name"], row["rule_id"])
        by_check.setdefault(identity, []).append(row)
    checks = (
        Check(Measurement.of(rows[-1]), tuple(row["metric_value"] for row in rows))
        for rows in by_check.values()
    )
    kept = tuple(c for c in checks if not request.only_failed or c.latest.passed is False)
    return ChecksReport(kept, warnings)


@dataclass(frozen=True)
class CourseReport:
    """One check over time, oldest first; `known` leaves out batches that could not be measured."""

    measurements: tuple[Measurement, ...]
    warnings: tuple[str, ...] = ()

    @property
    def known(self) -> tuple[Measurement, ...]:
        """Give the measurements that have a value."""
        return tuple(each for each in self.measurements if each.value is not None)

    @property
    def threshold(self) -> float | None:
        """Give the threshold of today."""
        return self.measurements[-1].threshold

    @property
    def title(self) -> str:
        """Name the check."""
        last = self.measurements[-1]
        column = f".{last.column}" if last.column else ""
        return f"{last.metric} {last.table}{column}"

    @property
    def verdict(self) -> str:
        """Say how many batches breached the threshold, and where the value stands."""
        breached = sum(each.passed is False for each in self.measurements)
        last = self.known[-1].value
        limit = "no threshold" if self.threshold is None else f"threshold {self.threshold:g}"
        return f"batches: {len(self.measurements)}, breached: {breached}; now {last:g}, {limit}"


def course_of_check(
    request: LakeRequest, metric: str, check: str, rule: str | None, since: datetime | None
) -> CourseReport:
    """Give one check over time; `check` is TABLE or TABLE.COLUMN."""
    name, _, column = check.partition(".")
    table, warnings = _open(MetricsRequest(request, name))
    conditions = [
        f"table_name = {literal(name)}",
        f"metric_name = {literal(metric)}",
        f"column_name = {literal(column)}" if column else "column_name IS NULL",
    ]
    if rule is not None:
        conditions.append(f"rule_id = {literal(rule)}")
    if since is not None:
        conditions.append(f"timestamp >= {literal(since)}")
    rows = (
        []
        if table is None
        else table.query(
            f"SELECT {', '.join(METRIC_COLUMNS)} FROM {ROWS}"
            f" WHERE {' AND '.join(conditions)} ORDER BY timestamp, batch_id"
        )
    )
    report = CourseReport(tuple(Measurement.of(row) for row in rows), warnings)
    if not report.known:
        raise CdcctlError(
            "LAK033",
            f"no measurement of {metric} {check}" + (" since then" if since else ""),
            why=_measured(request, name),
            fix="name METRIC and TABLE.COLUMN of one of them; cdcctl metrics show lists all",
            exit_code=ExitCode.NOT_FOUND,
        )
    return report


def _measured(request: LakeRequest, table: str) -> str:
    checks = latest_checks(MetricsRequest(request, table)).checks
    names = dict.fromkeys(
        f"{check.latest.metric} {table}"
        + (f".{check.latest.column}" if check.latest.column else "")
        for check in checks
    )
    return f"measured: {', '.join(names)}" if names else "nothing of this table was measured yet"


def newest_by_check(table: LakeTable, length: int, where: str = "") -> list[Row]:
    """Give the newest rows of each check, oldest first; `age` is 1 for the newest."""
    newest = f"PARTITION BY {_CHECK} ORDER BY timestamp DESC, batch_id DESC"
    return table.query(
        f"SELECT * FROM (SELECT {', '.join(METRIC_COLUMNS)},"
        f" row_number() OVER ({newest}) AS age FROM {ROWS} {where})"
        f" WHERE age <= {length} ORDER BY {_CHECK}, age DESC"
    )


def newest_measurements(request: MetricsRequest, limit: int) -> MeasurementsReport:
    """Give the newest measurements of all checks."""
    table, warnings = _open(request)
    rows = () if table is None else _newest(table, request, limit)
    return MeasurementsReport(tuple(Measurement.of(row) for row in rows), warnings)


def follow_measurements(
    request: MetricsRequest, limit: int, timeout_seconds: float | None
) -> Iterator[Measurement]:
    """Give the newest measurements, then each new one, until the time is up."""
    ends_at = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    version = -1
    seen: dict[str, datetime] = {}
    is_first = True
    while True:
        table, _ = _open(request)
        if table is not None and table.version != version:
            version = table.version
            for row in _newest(table, request, limit if is_first else None, seen):
                seen[row["table_name"]] = row["timestamp"]
                yield Measurement.of(row)
        is_first = False
        if ends_at is not None and time.monotonic() + POLL_SECONDS > ends_at:
            return
        time.sleep(POLL_SECONDS)


def _open(request: MetricsRequest) -> tuple[LakeTable | None, tuple[str, ...]]:
    opened = open_requested_lake(request.lake)
    if request.table is not None:
        opened.require_table(request.table)
    return opened.lake.metrics(), ()


def _newest(
    table: LakeTable,
    request: MetricsRequest,
    limit: int | None,
    seen: Mapping[str, datetime] | None = None,
) -> list[Row]:
    """Give measurements, oldest first: the last `limit`, or those newer than what was seen.

    A batch writes all its measurements at one time, and the times of a table's batches grow.
    """
    conditions = []
    if request.table is not None:
        conditions.append(f"table_name = {literal(request.table)}")
    if request.only_failed:
        conditions.append("passed = false")
    conditions += [
        f"NOT (table_name = {literal(name)} AND timestamp <= {literal(moment)})"
        for name, moment in (seen or {}).items()
    ]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    bound = "" if limit is None else f"LIMIT {limit}"
    order = "timestamp DESC, table_name DESC, metric_name DESC, column_name DESC"
    rows = table.query(
        f"SELECT {', '.join(METRIC_COLUMNS)} FROM {ROWS} {where} ORDER BY {order} {bound}"
    )
    return rows[::-1]
