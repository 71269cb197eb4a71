"""Every example of every rule, transform and metric holds on real Spark, in one job a kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from glue_job.contract.model import Column, Table
from glue_job.contract.types import DataType
from glue_job.metrics import METRICS
from glue_job.rules import RULES
from glue_job.transforms import TRANSFORMS
from glue_job.typed_values import literal, typed_value

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark


@dataclass(frozen=True)
class Case:
    """One value of one example, and what must come of it."""

    type: str
    params: dict[str, Any]
    of: str
    value: object
    expected: object
    nulls: Any = None

    def __str__(self) -> str:
        """Name the case for the test report."""
        return f"{self.type} {self.params} {self.value!r} -> {self.expected!r}"


def column_of(type_name: str) -> Column:
    return Column("value", DataType.parse(type_name))


def table_of(column: Column) -> Table:
    return Table(
        "examples", "cdc-examples", "", ("id",), (Column("id", DataType("integer")), column)
    )


def spark_literal(value: object, type_name: str) -> SparkColumn:
    from pyspark.sql import functions as F

    kind = DataType.parse(type_name)
    if value is None:
        return F.lit(None).cast(kind.spark_ddl)
    return literal(typed_value(value, kind), kind)


def rows_of(spark: SparkSession, cases: Sequence[Case]) -> DataFrame:
    """Give one row with the value of each case as a column that Spark cannot fold away."""
    values = [
        spark_literal(case.value, case.of).alias(f"v{index}") for index, case in enumerate(cases)
    ]
    return spark.range(1).select(*values).localCheckpoint()


def rule_cases() -> list[Case]:
    cases = []
    for cls in RULES:
        for example in cls.examples:
            params = dict(example.params)
            verdicts = [(value, False) for value in example.accepts]
            verdicts += [(value, True) for value in example.rejects]
            cases += [Case(cls.type, params, example.of, *verdict) for verdict in verdicts]
        first = cls.examples[0]
        for nulls, expected in ((None, cls.nulls == "fail"), ("pass", False), ("fail", True)):
            cases.append(Case(cls.type, dict(first.params), first.of, None, expected, nulls))
    return cases


RULE_CASES = rule_cases()


@pytest.fixture(scope="module")
def verdicts(spark: SparkSession) -> dict[str, Any]:
    from pyspark.sql import functions as F

    columns = []
    for index, case in enumerate(RULE_CASES):
        rule = RULES.build(case.type, case.params)
        violation = rule.violation(F.col(f"v{index}"), column_of(case.of), case.nulls)
        columns.append(violation.alias(f"c{index}"))
    found = rows_of(spark, RULE_CASES).select(*columns).collect()[0]
    return {
        f"{case} {case.nulls}": verdict for case, verdict in zip(RULE_CASES, found, strict=True)
    }


@pytest.mark.parametrize("case", RULE_CASES, ids=str)
def test_a_rule_judges_its_examples(case: Case, verdicts: dict[str, Any]) -> None:
    assert verdicts[f"{case} {case.nulls}"] is case.expected


@pytest.mark.parametrize("case", RULE_CASES, ids=str)
def test_a_rule_has_no_problem_with_its_examples(case: Case) -> None:
    column = column_of(case.of)
    assert list(RULES.build(case.type, case.params).problems(table_of(column), column)) == []


def transform_cases() -> list[Case]:
    cases = []
    for cls in TRANSFORMS:
        for example in cls.examples:
            params = dict(example.params)
            cases += [
                Case(cls.type, params, example.of, before, (after, False))
                for before, after in example.changes
            ]
            cases += [
                Case(cls.type, params, example.of, bad, (None, True)) for bad in example.fails
            ]
    return cases


TRANSFORM_CASES = transform_cases()


@pytest.fixture(scope="module")
def outcomes(spark: SparkSession) -> dict[str, Any]:
    from pyspark.sql import functions as F

    columns = []
    for index, case in enumerate(TRANSFORM_CASES):
        step = TRANSFORMS.build(case.type, case.params)
        before = F.col(f"v{index}")
        after = step.apply(before, column_of(case.of))
        columns += [after.alias(f"a{index}"), step.failed(before, after).alias(f"f{index}")]
    found = rows_of(spark, TRANSFORM_CASES).select(*columns).collect()[0]
    pairs = zip(found[::2], found[1::2], strict=True)
    return {str(case): pair for case, pair in zip(TRANSFORM_CASES, pairs, strict=True)}


@pytest.mark.parametrize("case", TRANSFORM_CASES, ids=str)
def test_a_transform_makes_of_its_examples_what_it_says(
    case: Case, outcomes: dict[str, Any]
) -> None:
    after, failed = outcomes[str(case)]
    expected, fails = case.expected  # type: ignore[misc]  # a pair in every transform case
    step = TRANSFORMS.build(case.type, case.params)
    kind = step.columns_after(column_of(case.of)).type
    assert failed is fails
    if isinstance(after, datetime):
        after = after.astimezone(UTC)
    assert after == (None if expected is None else typed_value(expected, kind))


@pytest.mark.parametrize("case", TRANSFORM_CASES, ids=str)
def test_a_transform_has_no_problem_with_its_examples(case: Case) -> None:
    column = column_of(case.of)
    step = TRANSFORMS.build(case.type, case.params)
    assert list(step.problems(table_of(column), column)) == []


METRIC_CASES = [(cls.type, example) for cls in METRICS for example in cls.examples]


@pytest.mark.parametrize(("type_name", "example"), METRIC_CASES, ids=lambda part: str(part)[:60])
def test_deequ_measures_what_a_metric_says(
    spark: SparkSession, type_name: str, example: Any
) -> None:
    kind = DataType.parse(example.of)
    names = list(example.rows[0])
    metric = METRICS.build(type_name, example.params)
    ddl = ", ".join(f"`{name}` {kind.spark_ddl}" for name in names)
    rows = spark.createDataFrame([tuple(row[name] for name in names) for row in example.rows], ddl)
    from pydeequ.analyzers import AnalysisRunner, AnalyzerContext

    context = AnalysisRunner(spark).onData(rows).addAnalyzer(metric.analyzer(example.column)).run()
    (measured,) = AnalyzerContext.successMetricsAsJson(spark, context)
    assert measured["name"] == metric.deequ_name
    assert measured["instance"] == metric.instance(example.column)
    assert measured["value"] == pytest.approx(example.measured)
