"""A table with `quarantine: masked` keeps no personal data of what it refuses."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession

from glue_job.contract.model import Column, Table, Transform
from glue_job.contract.types import DataType
from glue_job.pipeline.masking import hidden_columns, mask_refused

pytestmark = pytest.mark.spark

TABLE = Table(
    name="people",
    topic="cdc-people",
    delta_path="s3://people/",
    primary_key=("id",),
    schema=(
        Column("id", DataType("integer"), nullable=False),
        Column("phone", DataType("string")),
        Column("born", DataType("date"), pii=True),
        Column("city", DataType("string")),
    ),
    transforms=(Transform("t1", "mask_pii", "phone", {"visible_chars": 4}),),
    quarantine="masked",
)


def test_nothing_personal_is_left(spark: SparkSession) -> None:
    assert hidden_columns(TABLE) == {"phone", "born"}
    rows = spark.sql(
        "SELECT 1 AS id, '555-0101' AS phone, DATE'1990-01-02' AS born, 'Rome' AS city, "
        '\'{"phone":"555-0101"}\' AS _raw_value, '
        "array(named_struct('id', 'r1', 'type', 'regex', 'column', 'phone', 'params', '{}', "
        "'actual', '555-0101'), named_struct('id', 'r2', 'type', 'regex', 'column', 'city', "
        "'params', '{}', 'actual', 'Rome')) AS _failed_rules"
    )
    (row,) = mask_refused(rows, TABLE).collect()
    assert (row["id"], row["phone"], row["born"], row["city"]) == (1, "555-****", None, "Rome")
    assert row["_raw_value"] is None
    assert [rule["actual"] for rule in row["_failed_rules"]] == [None, "Rome"]
