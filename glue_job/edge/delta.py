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
        return columns_at(newest(spark, path))
    lines = (files.read_text(spark, _log(path, 0)) or "").splitlines()
    (made,) = (action["metaData"] for action in map(json.loads, lines) if "metaData" in action)
    return _columns(made["schemaString"])


def columns_at(snapshot: Any) -> dict[str, str]:
    """Give the columns of a snapshot of Delta's log with their Spark types."""
    return _columns(snapshot.schema().json())


def _columns(schema: str) -> dict[str, str]:
    parsed = StructType.fromJson(json.loads(schema))
    return {field.name: field.dataType.simpleString() for field in parsed}


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
    if rows.columns == list(columns):
        return rows
    return rows.select(
        *[
            F.col(name) if name in rows.columns else F.lit(None).cast(kind).alias(name)
            for name, kind in columns.items()
        ]
    )


def version(spark: SparkSession, path: str) -> int:
    """Give the newest version of a table."""
    return int(newest(spark, path).version())


def newest(spark: SparkSession, path: str) -> Any:
    """Give Delta's snapshot of the newest version of a table."""
    return log_of(spark, path).update(False, _none(spark), _none(spark))


def add_columns(spark: SparkSession, path: str, columns: Mapping[str, str]) -> None:
    """Give a table the columns (name: Spark type) that it has not got."""
    held = columns_of(spark, path)
    missing = {name: kind for name, kind in columns.items() if name not in held}
    if missing:
        ddl = ", ".join(f"`{name}` {kind}" for name, kind in missing.items())
        spark.sql(f"ALTER TABLE delta.`{path}` ADD COLUMNS ({ddl})")


def committed_version(spark: SparkSession, path: str, application_id: str) -> int:
    """Give the highest version that an application id has committed to a table, else -1."""
    if not exists(spark, path):
        return -1
    return version_of(spark, log_of(spark, path).unsafeVolatileSnapshot(), application_id)


def version_of(spark: SparkSession, snapshot: Any, application_id: str) -> int:
    """Give the highest version that an application id has committed up to a snapshot, else -1."""
    listed = _of_checksum(spark, snapshot, "setTransactions")
    if listed is None:
        found = snapshot.transactions().get(application_id)
        return int(found.get()) if found.isDefined() else -1
    return next((int(each.version()) for each in listed if each.appId() == application_id), -1)


def read_partition(spark: SparkSession, path: str, flag: str) -> DataFrame:
    """Read the rows of the newest version for which a partition column of booleans is true.

    Where the checksum file names the files of the table, they are not looked for by a Spark job.
    """
    with active(spark):
        snapshot = newest(spark, path)
        found = files_of_partition(spark, snapshot, flag)
        if found is None:
            return read(spark, path).filter(flag)
        return read_files(spark, snapshot, found)


def files_of_partition(spark: SparkSession, snapshot: Any, flag: str) -> list[Any] | None:
    """Give Delta's `AddFile` of each file where a partition column of booleans is true.

    None when only a Spark job can tell.
    """
    listed = _of_checksum(spark, snapshot, "allFiles")
    if listed is None:
        return None
    return [file for file in listed if file.partitionValues().apply(flag) == "true"]


def read_files(spark: SparkSession, snapshot: Any, files: Sequence[Any]) -> DataFrame:
    """Read some files of a table, each given as its `AddFile`."""
    log = snapshot.deltaLog()
    chosen = sequence(spark, files)
    return DataFrame(log.createDataFrame(snapshot, chosen, False, _none(spark)), spark)


def sequence(spark: SparkSession, values: Sequence[Any]) -> Any:
    """Give Scala's sequence of Java values."""
    jvm: Any = spark._jvm
    listed = jvm.java.util.ArrayList()
    for value in values:
        listed.add(value)
    return jvm.org.apache.spark.api.python.PythonUtils.toSeq(listed)


def _of_checksum(spark: SparkSession, snapshot: Any, field: str) -> Any:
    """Give a list of the checksum file of a version; None when it has not got it."""
    checksum = snapshot.checksumOpt()
    if not checksum.isDefined():
        return None
    found = getattr(checksum.get(), field)()
    if not found.isDefined():
        return None
    jvm: Any = spark._jvm
    return jvm.scala.collection.JavaConverters.seqAsJavaList(found.get())


def _none(spark: SparkSession) -> Any:
    jvm: Any = spark._jvm
    return jvm.scala.Option.empty()


def log_of(spark: SparkSession, path: str) -> Any:
    """Give Delta's log of a table."""
    jvm: Any = spark._jvm
    return jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, path)


@contextmanager
def active(spark: SparkSession) -> Iterator[None]:
    """Let Delta's own interfaces work with the settings of this session."""
    sessions: Any = spark._jvm.org.apache.spark.sql.SparkSession  # type: ignore[union-attr]
    before = sessions.getActiveSession()
    sessions.setActiveSession(spark._jsparkSession)
    try:
        yield
    finally:
        if before.isDefined():
            sessions.setActiveSession(before.get())
        else:
            sessions.clearActiveSession()


def newest_actions(spark: SparkSession, path: str) -> list[dict[str, Any]]:
    """Give what this process's last commit to a table did (Delta protocol, "Actions")."""
    reached = int(log_of(spark, path).unsafeVolatileSnapshot().version())
    text = files.read_text(spark, _log(path, reached))
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
