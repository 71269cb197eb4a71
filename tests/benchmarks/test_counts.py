"""What a batch does, counted: Spark jobs, files, rewritten history; load does not change it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.benchmarks.cost import Cost, measure
from tests.benchmarks.workload import TABLE, Bench, Mix

pytestmark = pytest.mark.spark

MOST_JOBS = 25
MOST_FILES = 4
MIX = Mix(400, updates=0.5, deletes=0.1)
LEDGER = f"delta/_changes/{TABLE}"
HISTORY = f"delta/{TABLE}"


def bench(spark: SparkSession, folder: Path, rules: int) -> Bench:
    return Bench(spark, folder / "lake", live=1_000, closed=3_000, rules=rules, metrics=False)


def cost_of(made: Bench, mix: Mix, folder: Path) -> Cost:
    rows = made.messages(mix, folder)
    return measure(made.spark, made.lake, lambda: made.take(rows))


def test_jobs_and_files_do_not_grow_with_the_rules(spark: SparkSession, tmp_path: Path) -> None:
    jobs = {}
    for rules in (0, 50):
        folder = tmp_path / str(rules)
        cost = cost_of(bench(spark, folder, rules), MIX, folder)
        jobs[rules] = cost.jobs
        assert all(cost.files_added(table) <= MOST_FILES for table in cost.added)
        assert cost.closed_files_removed(HISTORY) == 0
        assert cost.rows_added(LEDGER) == MIX.rows
        assert "quarantine/telemetry" not in cost.added
    assert len(set(jobs.values())) == 1, jobs
    assert jobs[0] <= MOST_JOBS, jobs


def test_an_empty_batch_and_one_without_changes_write_no_history(
    spark: SparkSession, tmp_path: Path
) -> None:
    made = bench(spark, tmp_path, 8)
    rows = made.messages(MIX, tmp_path)
    made.take(rows)
    again = measure(spark, made.lake, lambda: made.take(rows))
    assert again.added.keys() <= {"delta/_batches", LEDGER, "delta/dq_metrics"}
    assert not again.removed


def test_a_late_event_rewrites_little(spark: SparkSession, tmp_path: Path) -> None:
    made = bench(spark, tmp_path, 0)
    cost = cost_of(made, Mix(MIX.rows, MIX.updates, MIX.deletes, late=1), tmp_path)
    assert all(cost.files_added(table) <= 2 * MOST_FILES for table in cost.added)


def test_the_counter_counts(spark: SparkSession, tmp_path: Path) -> None:
    """A count that is always small would prove nothing."""
    cost = measure(spark, tmp_path, lambda: [spark.range(3).count() for _ in range(5)])
    assert cost.jobs >= 5
