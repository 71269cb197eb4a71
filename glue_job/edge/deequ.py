"""Step 2, measure: the configured checks of a batch through Deequ."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from pyspark.sql import DataFrame, SparkSession

from glue_job.contract.model import DeequCheck, Table
from glue_job.metrics import METRICS
from glue_job.pipeline.report import Measured


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
        One entry a check that Deequ could measure: an empty batch has a size and nothing else.
    """
    if not table.deequ_checks:
        return ()
    os.environ.setdefault("SPARK_VERSION", "3.5")
    from pydeequ.analyzers import AnalysisRunner, AnalyzerContext

    runner = AnalysisRunner(spark).onData(events)
    for check in table.deequ_checks:
        runner = runner.addAnalyzer(_analyzer(check, fields_missing=fields_missing))
    found = AnalyzerContext.successMetricsAsJson(spark, runner.run())
    values = _by_name(found)
    return tuple(
        _measured(check, values[key])
        for check in table.deequ_checks
        if (key := (check.metric, check.column)) in values
    )


def _analyzer(check: DeequCheck, *, fields_missing: bool) -> object:
    where = (
        f"NOT array_contains(_absent, '{check.column}')" if fields_missing and check.column else None
    )
    return METRICS.build(check.metric, check.params).analyzer(check.column, where)


def _by_name(found: object) -> dict[tuple[str, str | None], float]:
    rows: Sequence[dict[str, object]] = json.loads(found) if isinstance(found, str) else found  # type: ignore[assignment]
    by_name: dict[tuple[str, str | None], float] = {}
    for row in rows:
        name = str(row["name"]).lower()
        column = None if row["entity"] == "Dataset" else str(row["instance"])
        by_name[(name, column)] = float(str(row["value"]))
    return by_name


def _measured(check: DeequCheck, value: float) -> Measured:
    return Measured(
        metric=check.metric,
        column=check.column,
        value=value,
        threshold=check.threshold,
        passed=None if check.threshold is None else value >= check.threshold,
        severity=check.severity,
    )
