"""A write happens once: known by the checksum file, by the log without one, and to two writers."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from glue_job.edge import delta
from glue_job.edge.commit import append, committing
from glue_job.edge.delta import WriteId

pytestmark = pytest.mark.spark

COLUMNS = {"id": "bigint", "name": "string", "is_new": "boolean"}


@pytest.fixture
def path(spark: SparkSession, tmp_path: Path) -> str:
    path = str(tmp_path / "t")
    delta.create(spark, path, COLUMNS, partition_by=["is_new"])
    return path


def rows(spark: SparkSession, *ids: int) -> DataFrame:
    schema = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    return spark.createDataFrame([(each, str(each), each > 1) for each in ids], schema)


def held(spark: SparkSession, path: str) -> list[int]:
    return sorted(row["id"] for row in delta.read(spark, path).collect())


def test_a_write_is_made_once(spark: SparkSession, path: str) -> None:
    for _ in range(2):
        append(rows(spark, 1, 2), path, WriteId("a", 5))
    append(rows(spark, 9), path, WriteId("a", 4))
    append(rows(spark, 3), path, WriteId("b", 5))
    assert held(spark, path) == [1, 2, 3]
    assert delta.committed_version(spark, path, "a") == 5
    assert delta.committed_version(spark, path, "c") == -1


def test_without_checksum_files_the_log_is_asked(spark: SparkSession, path: str) -> None:
    append(rows(spark, 1, 2), path, WriteId("a", 5))
    append(rows(spark, 3), path, WriteId("b", 5))
    checksums = list(Path(path).glob("_delta_log/*.crc"))
    assert checksums
    for checksum in checksums:
        checksum.unlink()
    java: object = spark._jvm
    java.org.apache.spark.sql.delta.DeltaLog.clearCache()  # type: ignore[attr-defined]
    assert delta.files_of_partition(spark, delta.newest(spark, path), "is_new") is None
    append(rows(spark, 1, 2), path, WriteId("a", 5))
    assert held(spark, path) == [1, 2, 3]
    assert delta.committed_version(spark, path, "b") == 5
    assert {row["id"] for row in delta.read_partition(spark, path, "is_new").collect()} == {2, 3}


def test_one_partition_is_read_by_the_names_of_its_files(spark: SparkSession, path: str) -> None:
    append(rows(spark, 1, 2), path, WriteId("a", 0))
    append(rows(spark, 3), path, WriteId("a", 1))
    assert len(delta.files_of_partition(spark, delta.newest(spark, path), "is_new") or ()) == 2
    assert {row["id"] for row in delta.read_partition(spark, path, "is_new").collect()} == {2, 3}


def test_of_two_writers_of_one_batch_the_second_is_refused(spark: SparkSession, path: str) -> None:
    append(rows(spark, 1), path, WriteId("a", 0))

    def write_while_another_does() -> None:
        with committing(spark, path, WriteId("a", 1)) as second:
            second.add(rows(spark, 2))
            append(rows(spark, 2), path, WriteId("a", 1))

    # Delta's Python package, once loaded, gives it another type.
    with pytest.raises(Exception, match="ConcurrentTransactionException"):
        write_while_another_does()
    assert held(spark, path) == [1, 2]


def test_a_column_that_the_table_has_not_is_added(spark: SparkSession, path: str) -> None:
    append(rows(spark, 1), path, WriteId("a", 0))
    wider = rows(spark, 2).selectExpr("*", "'Ulm' AS city")
    append(wider, path, WriteId("a", 1))
    cities = {row["id"]: row["city"] for row in delta.read(spark, path).collect()}
    assert cities == {1: None, 2: "Ulm"}


def test_a_column_of_another_type_is_never_written(spark: SparkSession, path: str) -> None:
    wrong = rows(spark, 1).selectExpr("CAST(id AS string) AS id", "name", "is_new")
    with pytest.raises(AssertionError):
        append(wrong, path, WriteId("a", 0))
    assert held(spark, path) == []
