"""Delta tables of the lake: made once, written under (application id, batch id), read by key.

Delta skips a write whose application id has already committed that version or a later one
(protocol action `txn`), which is what makes a replayed batch harmless.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType, _parse_datatype_string

from glue_job.edge import files

_APP_ID = "spark.databricks.delta.write.txnAppId"
_VERSION = "spark.databricks.delta.write.txnVersion"

TABLE_PROPERTIES = {
    "delta.checkpointInterval": "50",
    "delta.logRetentionDuration": "interval 7 days",
}


@dataclass(frozen=True)
class WriteId:
    """The pair by which Delta knows a write again."""

    application_id: str
    version: int


def exists(spark: SparkSession, path: str) -> bool:
    """Tell whether there is a Delta table at `path`."""
    return any(files.exists(spark, file) for file in (_log(path, 0), _last_checkpoint(path)))


def is_untouched(spark: SparkSession, path: str) -> bool:
    """Tell whether nothing was ever written to a table that `create` made."""
    return not any(files.exists(spark, file) for file in (_log(path, 1), _last_checkpoint(path)))


def columns_of(spark: SparkSession, path: str) -> dict[str, str]:
    """Give the columns of a table with their Spark types."""
    if not is_untouched(spark, path):
        return {field.name: field.dataType.simpleString() for field in read(spark, path).schema}
    lines = (files.read_text(spark, _log(path, 0)) or "").splitlines()
    (made,) = (action["metaData"] for action in map(json.loads, lines) if "metaData" in action)
    schema = StructType.fromJson(json.loads(made["schemaString"]))
    return {field.name: field.dataType.simpleString() for field in schema}


def _log(path: str, version: int) -> str:
    return f"{path}/_delta_log/{version:020d}.json"


def _last_checkpoint(path: str) -> str:
    return f"{path}/_delta_log/_last_checkpoint"


def create(
    spark: SparkSession,
    path: str,
    columns: Mapping[str, str],
    *,
    partition_by: Sequence[str] = (),
    indexed: Sequence[str] = (),
    properties: Mapping[str, str] = TABLE_PROPERTIES,
) -> None:
    """Make a Delta table of `columns` (name: Spark type) at `path` if there is none.

    Types carry no nullability: a column of the lake may always be NULL.
    `indexed` names the columns that get statistics for file skipping; all of the first 32 do
    when it is empty.
    """
    if exists(spark, path):
        return
    ddl = ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
    held = dict(properties)
    if indexed:
        held["delta.dataSkippingStatsColumns"] = ",".join(indexed)
    now = time.time_ns() // 1_000_000
    actions: tuple[dict[str, object], ...] = (
        {"commitInfo": {"timestamp": now, "operation": "CREATE TABLE", "operationParameters": {}}},
        {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
        {
            "metaData": {
                "id": str(uuid.uuid4()),
                "format": {"provider": "parquet", "options": {}},
                "schemaString": _parse_datatype_string(ddl).json(),
                "partitionColumns": list(partition_by),
                "configuration": held,
                "createdTime": now,
            }
        },
    )
    # The first version of a table is one file of the log (Delta protocol, "Delta Log Entries");
    # written as such it takes milliseconds where a Spark command takes seconds.
    files.write_text(spark, _log(path, 0), "".join(json.dumps(action) + "\n" for action in actions))


def read(spark: SparkSession, path: str, version: int | None = None) -> DataFrame:
    """Read a version of a table, else its newest."""
    reader = spark.read.format("delta")
    return (reader if version is None else reader.option("versionAsOf", version)).load(path)


def with_columns(rows: DataFrame, columns: Mapping[str, str]) -> DataFrame:
    """Give just these columns (name: Spark type), NULL where the rows have not got them."""
    return rows.select(
        *[
            F.col(name) if name in rows.columns else F.lit(None).cast(kind).alias(name)
            for name, kind in columns.items()
        ]
    )


def version(spark: SparkSession, path: str) -> int:
    """Give the newest version of a table."""
    jvm = spark._jvm
    assert jvm is not None
    log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, path)
    return int(log.update(False, jvm.scala.Option.empty(), jvm.scala.Option.empty()).version())


def append(rows: DataFrame, path: str, write: WriteId, *, partition_by: Sequence[str] = ()) -> None:
    """Append rows once, however often the batch is replayed."""
    writer = (
        rows.write.format("delta")
        .mode("append")
        .option("txnAppId", write.application_id)
        .option("txnVersion", write.version)
        .option("mergeSchema", "true")
    )
    if partition_by:
        writer = writer.partitionBy(*partition_by)
    writer.save(path)


def committed_version(spark: SparkSession, path: str, application_id: str) -> int:
    """Give the highest version that an application id has committed to a table, else -1."""
    if not exists(spark, path):
        return -1
    jvm = spark._jvm
    assert jvm is not None
    log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, path)
    found = log.unsafeVolatileSnapshot().transactions().get(application_id)
    return int(found.get()) if found.isDefined() else -1


def newest_actions(spark: SparkSession, path: str) -> list[dict[str, Any]]:
    """Give what this process's last commit to a table did (Delta protocol, "Actions")."""
    jvm = spark._jvm
    assert jvm is not None
    log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, path)
    text = files.read_text(spark, _log(path, int(log.unsafeVolatileSnapshot().version())))
    return [json.loads(line) for line in (text or "").splitlines()]


@contextmanager
def writing(spark: SparkSession, write: WriteId) -> Iterator[None]:
    """Set the pair for a MERGE, which takes no writer options; nothing else may write meanwhile."""
    spark.conf.set(_APP_ID, write.application_id)
    spark.conf.set(_VERSION, str(write.version))
    try:
        yield
    finally:
        spark.conf.unset(_APP_ID)
        spark.conf.unset(_VERSION)
