"""Step 2, measure: the configured checks of a batch through Deequ."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from glue_job.contract.model import DeequCheck, Table
from glue_job.metrics import METRICS
from glue_job.pipeline.report import Measured

log = logging.getLogger("glue_job.deequ")


def measure(
    spark: SparkSession, events: DataFrame, table: Table, *, fields_missing: bool
) -> tuple[Measured, ...]:
    """Measure the `deequ_checks` of a table on the rows of a batch.

    Args:
        spark: the session of `events`.
        events: typed rows before rules and transforms, without deletes, with `_absent`.
        table: the table's entry of tables.yaml.
        fields_missing: some update leaves fields out; they do not count against a metric.

    Returns:
        One entry a check. A batch without rows (control records, deletes) has a size, which is not
        held against its threshold, and nothing else; on rows, a check that Deequ cannot measure
        has no value and has not passed, and the log says so.
    """
    if not table.deequ_checks:
        return ()
    os.environ.setdefault("SPARK_VERSION", "3.5")
    from pydeequ.analyzers import AnalysisRunner, AnalyzerContext

    runner = AnalysisRunner(spark).onData(events)
    keys: list[tuple[str, str]] = []
    for check in table.deequ_checks:
        metric = METRICS.build(check.metric, check.params)
        where = _only_given(metric.reads(check.column)) if fields_missing else None
        key = metric.result_key(check.column, where)
        if key not in keys:
            # Deequ refuses a run that holds an analyzer twice.
            runner = runner.addAnalyzer(metric.analyzer(check.column, where))
        keys.append(key)
    size = METRICS.build("size", {})
    rows_key = size.result_key(None, None)
    if rows_key not in keys:
        runner = runner.addAnalyzer(size.analyzer(None, None))
    found = AnalyzerContext.successMetricsAsJson(spark, runner.run())
    values = {(row["name"], row["instance"]): float(row["value"]) for row in _rows(found)}
    has_rows = values[rows_key] > 0
    return tuple(
        _measured(check, values.get(key), table, is_judged=has_rows)
        for check, key in zip(table.deequ_checks, keys, strict=True)
        if key in values or has_rows
    )


def _only_given(columns: Sequence[str]) -> str | None:
    """Restrict a metric to the rows whose message had all the fields it looks at."""
    return " AND ".join(f"NOT array_contains(_absent, '{name}')" for name in columns) or None


def _rows(found: Any) -> Sequence[dict[str, Any]]:
    """Read PyDeequ's answer, which its releases give as text or already read."""
    return json.loads(found) if isinstance(found, str) else found  # type: ignore[no-any-return]  # Deequ's JSON


def _measured(check: DeequCheck, value: float | None, table: Table, *, is_judged: bool) -> Measured:
    if value is None:
        log.warning(
            "%s: Deequ could not measure %s %s", table.name, check.metric, check.column or ""
        )
    passed = None
    if is_judged and check.threshold is not None:
        passed = value is not None and value >= check.threshold
    return Measured(
        metric=check.metric,
        column=check.column,
        value=value,
        threshold=check.threshold,
        passed=passed,
        severity=check.severity,
    )
