"""Rows of a Delta table replaced by others: one pass over the files concerned, one commit.

MERGE shuffles and sorts every row of the files it touches. Here the addresses alone are read to
find the rows. A large file keeps its rows, and a deletion vector beside it says which of them do
not count any more; a small one, or one with many such rows, is copied past a broadcast set of
addresses, without a shuffle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from glue_job.edge import delta
from glue_job.edge.commit import Commit, Vector, committing, name_of
from glue_job.edge.delta import WriteId
from glue_job.pipeline.past import MOST_BROADCAST

_BYTES_A_TASK = 32 << 20
_ROWS_A_TASK = 250_000
SMALL_FILE_BYTES = 4 << 20
"""So little is written as one file: a table of one file needs no search for the ones concerned."""
_MOST_SMALL_FILES = 8
"""With more files that small in a partition they are written together."""
_MOST_MARKED = 1 / 3
"""A file with a larger share of rows that do not count is copied without them."""


@dataclass(frozen=True)
class _Touched:
    """The files that hold one of the addresses."""

    copied: list[Any]
    """Delta's `AddFile` of those that are written again without these rows."""
    marked: list[Vector]

    @property
    def files(self) -> list[Any]:
        return [*self.copied, *(vector.file for vector in self.marked)]


def replace_rows(
    spark: SparkSession,
    path: str,
    rows: DataFrame,
    *,
    address: Sequence[str],
    among: Column | str,
    write: WriteId,
    marked_from: int | None,
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
        marked_from: the size in bytes from which a file is not copied for the rows that are
            replaced, but gets a deletion vector; None for never.
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
        if counts.keys() == {"insert"}:
            touched = _Touched(_too_many(commit.files_listed(among)), [])
        else:
            touched = _touched(places, commit, among, address, marked_from)
        for vector in touched.marked:
            commit.mark(vector)
        gained = rows.filter("_action != 'delete'").drop("_action")
        if touched.files:
            gained = _with_other_columns(gained, commit.read(touched.files), places, address)
        new = delta.with_columns(gained, columns).coalesce(math.ceil(count / _ROWS_A_TASK))
        if touched.copied:
            size = sum(file.size() for file in touched.copied)
            tasks = min(math.ceil(size / _BYTES_A_TASK), spark.sparkContext.defaultParallelism)
            found = commit.read(touched.copied)
            kept = found.join(places, list(address), "left_anti").select(*columns).coalesce(tasks)
            commit.remove(touched.copied)
            new = kept.unionByName(new)
            if size <= SMALL_FILE_BYTES and count <= _ROWS_A_TASK:
                new = new.coalesce(1)
        commit.add(new)


def _touched(
    places: DataFrame,
    commit: Commit,
    among: Column | str,
    address: Sequence[str],
    marked_from: int | None,
) -> _Touched:
    """Find the files that hold one of the addresses, and say what becomes of each."""

    def is_marked(file: Any) -> bool:
        return marked_from is not None and file.size() >= marked_from

    if isinstance(among, str):
        files = commit.files_of_partition(among)
        if len(files) == 1 and not is_marked(files[0]):
            # A row that is replaced lies in a file that is there.
            return _Touched(files, [])
        too_many = _too_many(files)
    else:
        held = delta.read(commit.spark, commit.path, commit.version).filter(among)
        names = _names(places, held, address)
        files = commit.files_named(names) if names else []
        too_many = []
    copied = {file.path(): file for file in too_many}
    marked = []
    if any(map(is_marked, files)):
        # Before it, Delta does not tell which row of a file it reads.
        commit.allow_vectors()
        where = [F.col("_metadata")[name].alias(name) for name in ("file_path", "row_index")]
        found = commit.read(files).select(*address, *where)
        for vector in commit.vectors(found.join(places, list(address), "left_semi"), files):
            if is_marked(vector.file) and vector.share <= _MOST_MARKED:
                marked.append(vector)
            else:
                copied[vector.file.path()] = vector.file
    elif isinstance(among, str):
        names = _names(places, commit.read(files), address)
        copied |= {file.path(): file for file in files if name_of(file.path()) in names}
    else:
        copied = {file.path(): file for file in files}
    for vector in marked:
        copied.pop(vector.file.path(), None)
    return _Touched(list(copied.values()), marked)


def _too_many(files: Sequence[Any]) -> list[Any]:
    """Choose the small ones, to be written together, when there are too many of them."""
    small = [file for file in files if file.size() < SMALL_FILE_BYTES]
    return small if len(small) > _MOST_SMALL_FILES else []


def _names(places: DataFrame, held: DataFrame, address: Sequence[str]) -> set[str]:
    """Name the files that hold one of the addresses."""
    with_places = (
        held.select(*address, F.col("_metadata")["file_name"].alias("_file"))
        .join(places, list(address), "left_semi")
        .groupBy("_file")
        .count()
        .collect()
    )
    return {row["_file"] for row in with_places}


def _with_other_columns(
    rows: DataFrame, found: DataFrame, places: DataFrame, address: Sequence[str]
) -> DataFrame:
    """Add the columns that only the table has, from the rows that are replaced."""
    others = [name for name in found.columns if name not in rows.columns]
    if not others:
        return rows
    replaced = found.join(places, list(address), "left_semi").select(*address, *others)
    return rows.join(replaced, list(address), "left")
