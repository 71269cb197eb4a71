"""Delta's own transaction: rows added and files taken away in one commit, which happens once.

A writer with the options `txnAppId` and `txnVersion`, and MERGE, derive the whole state of a table,
in three Spark jobs, to learn whether they were here before. The checksum file beside each version
says it too, and names the files of a small table (Delta protocol, "Version Checksum File").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from glue_job.edge import delta
from glue_job.edge.delta import WriteId


class Commit:
    """What one commit adds to a table and takes away from it."""

    def __init__(self, spark: SparkSession, path: str, write: WriteId) -> None:
        """Begin on the newest version of a table."""
        self.spark = spark
        jvm: Any = spark._jvm
        self._jvm = jvm
        self._write = write
        self._transaction = delta.log_of(spark, path).startTransaction()
        # Two writers of one batch: Delta refuses the commit of the one that comes second.
        getattr(self._transaction.readTxn(), "$plus$eq")(write.application_id)
        self._actions = self._jvm.java.util.ArrayList()
        self._snapshot = self._transaction.snapshot()
        self.version = int(self._snapshot.version())
        self.columns = delta.columns_at(self._snapshot)
        """The columns of the table with their Spark types."""
        held = delta.version_of(spark, self._snapshot, write.application_id)
        self.is_done = held >= write.version
        """The table holds this write, or a later one of the same application."""

    def files_of_partition(self, flag: str) -> list[Any] | None:
        """Give the files where a partition column of booleans is true, as `delta` does."""
        return delta.files_of_partition(self.spark, self._snapshot, flag)

    def files_named(self, names: Iterable[str]) -> list[Any]:
        """Find files by the last part of their path."""
        chosen = F.substring_index("path", "/", -1).isin(list(names))
        return list(self._snapshot.allFiles().filter(chosen._jc).collectAsList())

    def read(self, files: Sequence[Any]) -> DataFrame:
        """Read some files."""
        return delta.read_files(self.spark, self._snapshot, files)

    def add(self, rows: DataFrame) -> None:
        """Write rows, all columns of the table in its order and types, as new files."""
        held = [field.dataType.simpleString() for field in rows.schema]
        assert dict(zip(rows.columns, held, strict=True)) == self.columns
        added = self._transaction.writeFiles(rows._jdf)
        self._actions.addAll(self._jvm.scala.collection.JavaConverters.seqAsJavaList(added))

    def remove(self, files: Sequence[Any]) -> None:
        """Take files away."""
        for file in files:
            self._actions.add(file.remove())

    def _finish(self) -> None:
        jvm = self._jvm
        none = jvm.scala.Option.empty()
        write = self._write
        # What Delta's own sink of a stream writes; an operation by hand has no checksum file.
        self._actions.add(
            jvm.org.apache.spark.sql.delta.actions.SetTransaction(
                write.application_id, write.version, none
            )
        )
        operation = getattr(jvm, "org.apache.spark.sql.delta.DeltaOperations$StreamingUpdate")
        appended = jvm.org.apache.spark.sql.streaming.OutputMode.Append()
        self._transaction.commit(
            delta.sequence(self.spark, self._actions),
            operation(appended, write.application_id, write.version, none),
        )


@contextmanager
def committing(
    spark: SparkSession, path: str, write: WriteId, columns: Mapping[str, str] | None = None
) -> Iterator[Commit]:
    """Begin a commit, and make it when the context ends, unless it is done already.

    The table is given those of `columns` (name: Spark type) that it has not got.
    """
    with delta.active(spark):
        begun = Commit(spark, path, write)
        if columns and not columns.keys() <= begun.columns.keys():
            delta.add_columns(spark, path, columns)
            begun = Commit(spark, path, write)
        yield begun
        if not begun.is_done:
            begun._finish()


def append(rows: DataFrame, path: str, write: WriteId) -> None:
    """Append rows once, however often the batch is replayed; columns that are new are added."""
    columns = {field.name: field.dataType.simpleString() for field in rows.schema}
    with committing(rows.sparkSession, path, write, columns) as commit:
        if not commit.is_done:
            commit.add(delta.with_columns(rows, commit.columns))
