"""Rows of a Delta table replaced by others: one pass over the files concerned, one commit.

MERGE shuffles and sorts every row of the files it touches. Here the addresses alone are read to
find the files, and these are copied past a broadcast set of addresses, without a shuffle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from glue_job.edge import delta
from glue_job.edge.commit import Commit, committing
from glue_job.edge.delta import WriteId
from glue_job.pipeline.past import MOST_BROADCAST

_BYTES_A_TASK = 32 << 20
_ROWS_A_TASK = 250_000
_BYTES_OF_ONE_FILE = 4 << 20
"""So little is written as one file: a table of one file needs no search for the ones concerned."""


def replace_rows(
    spark: SparkSession,
    path: str,
    rows: DataFrame,
    *,
    address: Sequence[str],
    among: Column | str,
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
        among: tells which rows of the table can have these addresses: a partition column of
            booleans by its name, else a condition; by partition columns and those with statistics,
            files are left out unread.
        write: the pair by which Delta knows the write again.
    """
    with committing(spark, path, write) as commit:
        if commit.is_done:
            return
        columns = commit.columns
        counts = {row[0]: row[1] for row in rows.groupBy("_action").count().collect()}
        count = sum(counts.values())
        if not count:
            return
        places = rows.select(*address)
        if count <= MOST_BROADCAST:
            places = F.broadcast(places)
        is_new = counts.keys() == {"insert"}
        files = [] if is_new else _files_with(places, commit, path, among, address)
        gained = rows.filter("_action != 'delete'").drop("_action")
        kept = None
        if files:
            found = commit.read(files)
            gained = _with_other_columns(gained, found, places, address)
            size = sum(file.size() for file in files)
            tasks = min(math.ceil(size / _BYTES_A_TASK), spark.sparkContext.defaultParallelism)
            kept = found.join(places, list(address), "left_anti").select(*columns).coalesce(tasks)
            commit.remove(files)
        new = delta.with_columns(gained, columns).coalesce(math.ceil(count / _ROWS_A_TASK))
        if kept is not None:
            new = kept.unionByName(new)
            if size <= _BYTES_OF_ONE_FILE and count <= _ROWS_A_TASK:
                new = new.coalesce(1)
        commit.add(new)


def _files_with(
    places: DataFrame, commit: Commit, path: str, among: Column | str, address: Sequence[str]
) -> list[Any]:
    """Give the files that hold one of the addresses, each as Delta's `AddFile`."""
    listed = commit.files_of_partition(among) if isinstance(among, str) else None
    if listed is not None:
        if len(listed) == 1:
            # A row that is replaced lies in a file that is there.
            return listed
        held = commit.read(listed)
    else:
        held = delta.read(commit.spark, path, commit.version).filter(among)
    with_places = (
        held.select(*address, F.col("_metadata")["file_name"].alias("_file"))
        .join(places, list(address), "left_semi")
        .groupBy("_file")
        .count()
        .collect()
    )
    names = {row["_file"] for row in with_places}
    if listed is None:
        return commit.files_named(names) if names else []
    return [file for file in listed if file.path().rsplit("/", 1)[-1] in names]


def _with_other_columns(
    rows: DataFrame, found: DataFrame, places: DataFrame, address: Sequence[str]
) -> DataFrame:
    """Add the columns that only the table has, from the rows that are replaced."""
    others = [name for name in found.columns if name not in rows.columns]
    if not others:
        return rows
    replaced = found.join(places, list(address), "left_semi").select(*address, *others)
    return rows.join(replaced, list(address), "left")
