"""Rows of a Delta table replaced by others: one pass over the files concerned, one commit.

MERGE shuffles and sorts every row of the files it touches. Here the addresses alone are read to
find the files, and these are copied past a broadcast set of addresses, without a shuffle.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from glue_job.edge import delta
from glue_job.edge.delta import WriteId

_BYTES_A_TASK = 32 << 20
_ROWS_A_TASK = 250_000
_MOST_BROADCAST = 2_000_000
"""Rows whose addresses fit into the memory of every executor."""


def replace_rows(
    spark: SparkSession,
    path: str,
    rows: DataFrame,
    *,
    address: Sequence[str],
    among: Column,
    write: WriteId,
) -> None:
    """Put rows in the place of those with the same address, once, however often it is replayed.

    Args:
        spark: the session that the rows belong to.
        path: the table.
        rows: columns of the table and `_action` (of a `delete` only the address is used; each
            address once); read several times. A column of the table that they do not have keeps
            the value of the row that is replaced.
        address: the columns that address a row; none of them is ever NULL.
        among: tells which rows of the table can have these addresses; by partition columns and
            those with statistics, files are left out unread.
        write: the pair by which Delta knows the write again.
    """
    jvm: Any = spark._jvm
    with _active(spark):
        log = jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, path)
        transaction = log.startTransaction()
        if transaction.txnVersion(write.application_id) >= write.version:
            return
        version = int(transaction.snapshot().version())
        held = delta.read(spark, path, version)
        columns = {field.name: field.dataType.simpleString() for field in held.schema}
        count = rows.count()
        places = rows.select(*address)
        if count <= _MOST_BROADCAST:
            places = F.broadcast(places)
        concerned = _files_with(places, held.filter(among), address) if count else {}
        actions = jvm.java.util.ArrayList()
        gained = rows.filter("_action != 'delete'").drop("_action")
        kept = None
        if concerned:
            chosen = F.substring_index("path", "/", -1).isin(list(concerned))
            files = transaction.snapshot().allFiles().filter(chosen._jc).collectAsList()
            found = DataFrame(
                log.createDataFrame(
                    transaction.snapshot(), _sequence(jvm, files), False, jvm.scala.Option.empty()
                ),
                spark,
            )
            gained = _with_other_columns(gained, found, places, address)
            tasks = min(
                math.ceil(sum(concerned.values()) / _BYTES_A_TASK),
                spark.sparkContext.defaultParallelism,
            )
            kept = found.join(places, list(address), "left_anti").select(*columns).coalesce(tasks)
            for file in files:
                actions.add(file.remove())
        if count:
            new = delta.with_columns(gained, columns).coalesce(math.ceil(count / _ROWS_A_TASK))
            if kept is not None:
                new = kept.unionByName(new)
            added = transaction.writeFiles(new._jdf)
            actions.addAll(jvm.scala.collection.JavaConverters.seqAsJavaList(added))
        actions.add(
            jvm.org.apache.spark.sql.delta.actions.SetTransaction(
                write.application_id, write.version, jvm.scala.Option.empty()
            )
        )
        operation = getattr(jvm, "org.apache.spark.sql.delta.DeltaOperations$ManualUpdate$")
        transaction.commit(_sequence(jvm, actions), getattr(operation, "MODULE$"))


def _files_with(places: DataFrame, held: DataFrame, address: Sequence[str]) -> dict[str, int]:
    """Give the names of the files that hold one of the addresses, with their sizes in bytes."""
    file = F.col("_metadata")
    found = (
        held.select(*address, file["file_name"].alias("_file"), file["file_size"].alias("_size"))
        .join(places, list(address), "left_semi")
        .groupBy("_file")
        .agg(F.max("_size").alias("_size"))
        .collect()
    )
    return {row["_file"]: row["_size"] for row in found}


def _with_other_columns(
    rows: DataFrame, found: DataFrame, places: DataFrame, address: Sequence[str]
) -> DataFrame:
    """Add the columns that only the table has, from the rows that are replaced."""
    others = [name for name in found.columns if name not in rows.columns]
    if not others:
        return rows
    replaced = found.join(places, list(address), "left_semi").select(*address, *others)
    return rows.join(replaced, list(address), "left")


def _sequence(jvm: Any, values: Any) -> Any:
    return jvm.org.apache.spark.api.python.PythonUtils.toSeq(values)


@contextmanager
def _active(spark: SparkSession) -> Iterator[None]:
    """Let Delta's transaction work with the settings of this session."""
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
