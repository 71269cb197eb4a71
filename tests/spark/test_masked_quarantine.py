"""A table with `quarantine: masked` keeps no personal data of what it refuses."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from glue_job.contract.model import Column, Table, Transform
from glue_job.contract.types import DataType
from glue_job.pipeline.masking import hidden_columns, mask_refused
from tests.spark.engine import read_delta
from tests.spark.small_lake import CONFIG, Sent, SmallLake, change

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


CANARY = "c4n4ry"
PERSONAL = (
    CONFIG.replace("- name: people", "- name: people\n    quarantine: masked", 1)
    .replace("{name: name, type: string}", "{name: name, type: string, pii: true}")
    .replace("{name: age, type: integer}", "{name: age, type: integer, pii: true}")
    .replace(
        "dq_rules:",
        "dq_rules:\n      - {id: short_name, type: length, column: name, params: {max: 20}}",
    )
    .replace(
        "{metric: size,",
        "{metric: completeness, column: name, threshold: 1}\n      - {metric: size,",
    )
)


@contextmanager
def jvm_log(spark: SparkSession, file: Path) -> Iterator[None]:
    """Keep what Spark, Delta and Deequ log, down to what they would not log on Glue."""
    log4j = spark._jvm.org.apache.logging.log4j  # type: ignore[union-attr]
    context = log4j.LogManager.getContext(False)
    root = context.getConfiguration().getRootLogger()
    layout = log4j.core.layout.PatternLayout.createDefaultLayout()
    builder = log4j.core.appender.FileAppender.newBuilder()
    builder.setName("canary")
    builder.setLayout(layout)
    appender = builder.withFileName(str(file)).build()
    appender.start()
    level = root.getLevel()
    root.addAppender(appender, None, None)
    root.setLevel(log4j.Level.INFO)
    context.updateLoggers()
    try:
        yield
    finally:
        root.removeAppender("canary")
        root.setLevel(level)
        context.updateLoggers()
        appender.stop()


def test_no_value_of_a_row_is_logged_measured_or_kept(
    spark: SparkSession, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = SmallLake(spark, tmp_path / "lake", PERSONAL)
    caplog.set_level(logging.INFO)
    log = tmp_path / "jvm.log"
    with jvm_log(spark, log):
        report = lake.take(
            0,
            [
                change("insert", 1, 0, name=f"Ann {CANARY}", age=30),
                change("insert", 2, 1, name=f"{CANARY} {'x' * 20}", age=30),
                change("insert", 3, 2, name="Bob", age=CANARY),
                Sent(0, 7, f'{{"data": {{"id": 4, "name": "{CANARY}"'),
            ],
        )
    assert (report.outcomes["applied"], report.outcomes["quarantined"]) == (1, 3)
    said = log.read_text(encoding="utf-8") + caplog.text
    assert "DeltaLog" in said
    assert CANARY not in said
    refused = lake.quarantine()
    assert [row["_failed_rule"] for row in refused] == ["short_name", "BAD_TYPE", "BAD_JSON"]
    kept = [*refused, *read_delta(lake.paths.metrics), *read_delta(lake.paths.batches)]
    assert CANARY not in str(kept)
    for commits in (lake.paths.quarantine("people"), lake.paths.metrics, lake.paths.batches):
        for commit in Path(commits, "_delta_log").glob("*.json"):
            assert CANARY not in commit.read_text(encoding="utf-8")
    assert CANARY in str(lake.history())
