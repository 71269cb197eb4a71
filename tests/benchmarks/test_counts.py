"""What a batch does, counted: Spark jobs, files, rewritten history; load does not change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from tests.benchmarks.cost import Cost, measure
from tests.benchmarks.workload import TABLE, Bench, Mix

pytestmark = pytest.mark.spark

MOST_JOBS = 25
MOST_FILES = 4
MANY_RULES = 50
MIX = Mix(400, updates=0.5, deletes=0.1)
LEDGER = f"delta/_changes/{TABLE}"
HISTORY = f"delta/{TABLE}"


@dataclass(frozen=True)
class Costs:
    """What batches cost: the same one under no rule and many, one with a late event, one again."""

    by_rules: Mapping[int, Cost]
    late: Cost
    again: Cost


@pytest.fixture(scope="module")
def costs(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Costs:
    few, many = (Filled.under(rules, spark, tmp_path_factory) for rules in (0, MANY_RULES))
    of_few, of_many = few.cost(few.messages(MIX)), many.cost(rows := many.messages(MIX))
    late = few.messages(Mix(MIX.rows, MIX.updates, MIX.deletes, late=1))
    return Costs({0: of_few, MANY_RULES: of_many}, few.cost(late), many.cost(rows))


@dataclass(frozen=True)
class Filled:
    """A lake with a history."""

    made: Bench
    folder: Path

    @classmethod
    def under(cls, rules: int, spark: SparkSession, factory: pytest.TempPathFactory) -> Filled:
        folder = factory.mktemp("counts")
        made = Bench(spark, folder / "lake", live=1_000, closed=3_000, rules=rules, metrics=False)
        return cls(made, folder)

    def messages(self, mix: Mix) -> DataFrame:
        return self.made.messages(mix, self.folder)

    def cost(self, rows: DataFrame) -> Cost:
        return measure(self.made.spark, self.made.lake, lambda: self.made.take(rows))


def test_jobs_and_files_do_not_grow_with_the_rules(costs: Costs) -> None:
    jobs = {rules: cost.jobs for rules, cost in costs.by_rules.items()}
    for cost in costs.by_rules.values():
        assert all(cost.files_added(table) <= MOST_FILES for table in cost.added)
        assert cost.closed_files_removed(HISTORY) == 0
        assert cost.rows_added(LEDGER) == MIX.rows
        assert "quarantine/telemetry" not in cost.added
    assert len(set(jobs.values())) == 1, jobs
    assert jobs[0] <= MOST_JOBS, jobs


def test_an_empty_batch_and_one_without_changes_write_no_history(costs: Costs) -> None:
    assert costs.again.added.keys() <= {"delta/_batches", LEDGER, "delta/dq_metrics"}
    assert not costs.again.removed


def test_a_late_event_rewrites_little(costs: Costs) -> None:
    assert all(costs.late.files_added(table) <= 2 * MOST_FILES for table in costs.late.added)


def test_the_counter_counts(spark: SparkSession, tmp_path: Path) -> None:
    """A count that is always small would prove nothing."""
    cost = measure(spark, tmp_path, lambda: [spark.range(3).count() for _ in range(5)])
    assert cost.jobs >= 5
