"""Step 2 of the batch: each configured check comes back as a measurement of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from glue_job.contract.model import Column, DeequCheck, Table
from glue_job.contract.types import DataType

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark

CHECKS = (
    DeequCheck("size", threshold=1),
    DeequCheck("size", column="speed"),
    DeequCheck("completeness", "speed", threshold=0.5),
    DeequCheck("uniqueness", "id", threshold=1.0),
    DeequCheck("compliance", None, 0.9, params={"predicate": "speed >= 0"}),
    DeequCheck("compliance", "speed", 0.1, params={"predicate": "speed < 50 OR id = 1"}),
)
TABLE = Table(
    "trips",
    "cdc-trips",
    "",
    ("id",),
    (Column("id", DataType("integer")), Column("speed", DataType("double"))),
    deequ_checks=CHECKS,
)
ROWS = [
    (1, 90.0, []),
    (2, -1.0, []),
    (3, None, []),
    (3, None, ["speed"]),
]


def events(spark: SparkSession, rows: list[tuple[object, ...]]) -> DataFrame:
    return spark.createDataFrame(rows, "id int, speed double, _absent array<string>")


def values(
    spark: SparkSession, rows: list[tuple[object, ...]], *, fields_missing: bool
) -> list[float]:
    from glue_job.edge.deequ import measure

    found = measure(spark, events(spark, rows), TABLE, fields_missing=fields_missing)
    assert [(each.metric, each.column) for each in found] == [
        (check.metric, check.column) for check in CHECKS
    ][: len(found)]
    return [each.value for each in found]


def test_each_check_is_measured_two_conditions_included(spark: SparkSession) -> None:
    measured = values(spark, ROWS, fields_missing=False)
    assert measured == [4.0, 4.0, 0.5, 0.5, 0.25, 0.5]


def test_a_field_that_an_update_left_out_does_not_count(spark: SparkSession) -> None:
    measured = values(spark, ROWS, fields_missing=True)
    assert measured == pytest.approx([4.0, 4.0, 2 / 3, 0.5, 1 / 3, 2 / 3])


def test_an_empty_batch_has_a_size_that_is_no_breach_and_nothing_else(spark: SparkSession) -> None:
    from glue_job.edge.deequ import measure

    found = measure(spark, events(spark, []), TABLE, fields_missing=False)
    assert [(each.metric, each.value, each.passed) for each in found] == [("size", 0.0, None)] * 2


def test_a_check_that_deequ_cannot_measure_has_not_passed(spark: SparkSession) -> None:
    from glue_job.edge.deequ import measure

    checks = (DeequCheck("completeness", "nowhere", threshold=0.5), DeequCheck("size", threshold=1))
    table = replace(TABLE, deequ_checks=checks)
    unmeasured, size = measure(spark, events(spark, ROWS), table, fields_missing=False)
    assert (unmeasured.value, unmeasured.passed) == (None, False)
    assert (size.value, size.passed) == (4.0, True)


@pytest.mark.parametrize("rows", [ROWS, [(1, None, []), (2, None, [])]])
@pytest.mark.parametrize("others", [(), (DeequCheck("completeness", "speed", threshold=0.0),)])
def test_that_nothing_could_be_measured_is_told_too(
    others: tuple[DeequCheck, ...], rows: list[tuple[object, ...]], spark: SparkSession
) -> None:
    from glue_job.edge.deequ import measure

    checks = (DeequCheck("completeness", "nowhere", threshold=0.5), *others)
    table = replace(TABLE, deequ_checks=checks)
    found = measure(spark, events(spark, rows), table, fields_missing=False)
    assert len(found) == len(checks)
    assert (found[0].value, found[0].passed) == (None, False)
    assert measure(spark, events(spark, []), table, fields_missing=False) == ()
