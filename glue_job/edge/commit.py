"""Delta's own transaction: rows added and files taken away in one commit, which happens once.

A writer with the options `txnAppId` and `txnVersion`, and MERGE, derive the whole state of a table,
in three Spark jobs, to learn whether they were here before. The checksum file beside each version
says it too, and names the files of a small table (Delta protocol, "Version Checksum File").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from glue_job.edge import delta
from glue_job.edge.delta import WriteId

_VECTORS = "delta.enableDeletionVectors"


@dataclass(frozen=True)
class Vector:
    """The rows of a file that do not count any more (Delta protocol, "Deletion Vectors")."""

    file: Any
    """Delta's `AddFile`, as it was."""
    descriptor: Any
    """Where the list lies; rows that did not count before are in it."""

    @property
    def share(self) -> float:
        """Tell how much of the file does not count; all of it when its rows were not counted."""
        rows = self.file.numPhysicalRecords()
        return float(self.descriptor.cardinality() / rows.get()) if rows.isDefined() else 1.0


class Commit:
    """What one commit adds to a table and takes away from it."""

    def __init__(self, spark: SparkSession, path: str, write: WriteId) -> None:
        """Begin on the newest version of a table."""
        self.spark = spark
        self.path = path
        self._jvm: Any = spark._jvm
        self._write = write
        self._begin()

    def _begin(self) -> None:
        self._log = delta.log_of(self.spark, self.path)
        self._transaction = self._log.startTransaction()
        # Two writers of one batch: Delta refuses the commit of the one that comes second.
        getattr(self._transaction.readTxn(), "$plus$eq")(self._write.application_id)
        self._actions = self._jvm.java.util.ArrayList()
        self._snapshot = self._transaction.snapshot()
        self.version = int(self._snapshot.version())
        self.columns = delta.columns_at(self._snapshot)
        """The columns of the table with their Spark types."""
        held = delta.version_of(self.spark, self._snapshot, self._write.application_id)
        self.is_done = held >= self._write.version
        """The table holds this write, or a later one of the same application."""

    def files_of_partition(self, flag: str) -> list[Any]:
        """Give the files where a partition column of booleans is true."""
        listed = delta.files_of_partition(self.spark, self._snapshot, flag)
        if listed is None:
            return self._files(F.col("partitionValues")[flag] == "true")
        return listed

    def files_listed(self, flag: Column | str) -> list[Any]:
        """Give these files where no Spark job is needed for it, else none."""
        if not isinstance(flag, str):
            return []
        return delta.files_of_partition(self.spark, self._snapshot, flag) or []

    def files_named(self, names: Iterable[str]) -> list[Any]:
        """Find files by the last part of their path."""
        return self._files(F.substring_index("path", "/", -1).isin(list(names)))

    def _files(self, chosen: Column) -> list[Any]:
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

    def vectors(self, rows: DataFrame, files: Sequence[Any]) -> list[Vector]:
        """List rows that shall not count any more, beside those that did not before.

        Args:
            rows: `file_path` and `row_index`, as Spark's `_metadata` gives them.
            files: the files that the rows lie in, or more.

        Returns:
            A vector for each file with such a row; nothing is committed yet.
        """
        by_name = {name_of(file.path()): file for file in files}
        held = [
            F.lit(text)
            for name, file in by_name.items()
            if file.deletionVector() is not None
            for text in (name, file.deletionVector().serializeToBase64())
        ]
        before = F.lit(None).cast("string")
        if held:
            before = F.create_map(*held)[F.substring_index("file_path", "/", -1)]
        found = rows.select(
            F.col("file_path").alias("filePath"),
            F.col("row_index").alias("rowIndexCol"),
            before.alias("deletionVectorId"),
        )
        package = "org.apache.spark.sql.delta.commands"
        builder = getattr(
            getattr(self._jvm, f"{package}.DeletionVectorBitmapGenerator$"), "MODULE$"
        )
        built = builder.buildDeletionVectors(
            self.spark._jsparkSession, found._jdf, self._log, self._transaction
        )
        listed = self._jvm.scala.collection.JavaConverters.seqAsJavaList(built)
        return [Vector(by_name[name_of(each.filePath())], each.deletionVector()) for each in listed]

    def mark(self, vector: Vector) -> None:
        """Let the rows of a vector not count any more."""
        pair = vector.file.removeRows(vector.descriptor, True, True)
        self._actions.add(pair._1())
        self._actions.add(pair._2())

    def allow_vectors(self) -> None:
        """Raise the table to the protocol versions that know deletion vectors, and begin anew."""
        if self._snapshot.metadata().configuration().contains(_VECTORS):
            return
        self.spark.sql(f"ALTER TABLE delta.`{self.path}` SET TBLPROPERTIES ('{_VECTORS}' = 'true')")
        self._begin()

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


def name_of(path: str) -> str:
    """Give the last part of a path."""
    return path.rsplit("/", 1)[-1]


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
