"""Steps 5 and 6 as a batch takes them: its entries, folded with the past of their keys.

The current row stands for the whole past of a key whose new events are all later than anything
known. The other keys, if only one of a hundred thousand, are folded again from the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from glue_job.contract.model import Table
from glue_job.pipeline.entries import LOAD, linked, seeds
from glue_job.pipeline.report import Batch, Watermark
from glue_job.pipeline.summary import Summary, is_late
from glue_job.pipeline.versions import (
    Shape,
    closed_and_opened,
    difference,
    fill_moves,
    fold,
    place,
    versions,
)

_MOST_LATE = 0.5
"""With a larger share of late events one fold of all keys costs less than two."""

MOST_BROADCAST = 2_000_000
"""Rows whose keys fit into the memory of every executor."""

_MOST_SPELLED = 200
_SPELLED = ("long", "integer", "string")


class PastEdge(Protocol):
    """What the fold of a batch reads."""

    def other_entries(self, batch: Batch) -> DataFrame:
        """Give the change ledger without the batch's own entries."""

    def history(self) -> DataFrame:
        """Give the SCD2 rows."""

    def current(self) -> DataFrame:
        """Give the current ones of the SCD2 rows."""


@dataclass(frozen=True)
class Folded:
    """The folded entries of some keys, and what their history is brought to."""

    entries: DataFrame
    """The result of `fold`, with `_is_new`; a local checkpoint."""
    existing: DataFrame
    """The rows of history of the same keys; a local checkpoint unless all keys are in order."""
    shape: Shape

    def changes(self, table: Table) -> DataFrame:
        """Give the rows by which history differs, as `difference` does."""
        desired = versions(self.entries, table)
        if self.shape.in_order:
            return closed_and_opened(desired)
        return difference(desired, self.existing, table)

    def free(self) -> None:
        """Free the rows of the checkpoints."""
        release(self.entries)
        if not self.shape.in_order:
            release(self.existing)


def fold_with_past(
    entries: DataFrame,
    summary: Summary,
    before: Watermark,
    batch: Batch,
    table: Table,
    edge: PastEdge,
) -> tuple[Folded, ...]:
    """Fold the entries of a batch, those of late keys apart from the others.

    Args:
        entries: `entry_columns` and `_is_new`, all of them new.
        summary: the counts of the batch.
        before: how far the events of other batches reach.
        batch: the batch's identity.
        table: the table's entry of tables.yaml.
        edge: reads the ledger and history.

    Returns:
        One or two parts without a key in common; each holds a local checkpoint to be released.
    """
    chained = before.sparse_moves or summary.watermark.sparse_moves
    changes = summary.data - summary.refused - summary.loads
    in_order = Shape(
        in_order=True,
        anchored=summary.loads > 0 and changes > 0,
        sparse=summary.fields_missing > 0,
    )
    if not summary.late:
        touched = _touched(entries, summary, table)
        return (_in_order(entries, touched, in_order, table, edge, chained=chained),)
    key = list(table.primary_key)
    ledger = edge.other_entries(batch).select(*entries.drop("_is_new").columns)
    if summary.late > _MOST_LATE * (changes + summary.loads):
        touched = _touched(entries, summary, table)
        if chained:
            touched = _reachable(touched, ledger, table)
        return (_late(entries, touched, ledger, table, edge, chained=chained),)
    late = entries.filter(is_late(before, F.col("_kind") == LOAD)).select(*key).distinct()
    if chained:
        late = _reachable(late, ledger.unionByName(entries.drop("_is_new")), table)
    few = F.broadcast(late.localCheckpoint())
    prompt = entries.join(few, key, "left_anti")
    return (
        _in_order(prompt, _touched(prompt, summary, table), in_order, table, edge, chained=chained),
        _late(
            entries.join(few, key, "left_semi"),
            few,
            _near(ledger, few, table),
            table,
            edge,
            chained=chained,
        ),
    )


def _near(rows: DataFrame, few: DataFrame, table: Table) -> DataFrame:
    """Leave out rows of other keys, where the keys are few enough to be spelled out.

    The ledger is written in the order of the keys: Parquet skips the pages that have none of them.
    """
    name = table.primary_key[0]
    if table.column(name).type.name not in _SPELLED:
        return rows
    values = [row[0] for row in few.select(name).limit(_MOST_SPELLED + 1).collect()]
    return rows.filter(F.col(name).isin(values)) if len(values) <= _MOST_SPELLED else rows


def _touched(entries: DataFrame, summary: Summary, table: Table) -> DataFrame:
    """Give the keys of a batch, so that the past is not shuffled to find theirs in it.

    Spark does not know how little a batch from Kafka brings, and would sort both sides.
    """
    keys = entries.select(*table.primary_key)
    return F.broadcast(keys) if summary.data <= MOST_BROADCAST else keys.distinct()


def _in_order(
    entries: DataFrame,
    touched: DataFrame,
    shape: Shape,
    table: Table,
    edge: PastEdge,
    *,
    chained: bool,
) -> Folded:
    current = edge.current().join(touched, list(table.primary_key), "left_semi")
    return _folded(entries, seeds(current, table), current, shape, table, chained=chained)


def _late(
    entries: DataFrame,
    touched: DataFrame,
    ledger: DataFrame,
    table: Table,
    edge: PastEdge,
    *,
    chained: bool,
) -> Folded:
    key = list(table.primary_key)
    past = ledger.join(touched, key, "left_semi")
    # Read once: what stood before is compared with what each entry did, and with the result.
    existing = edge.history().join(touched, key, "left_semi").localCheckpoint(eager=False)
    return _folded(entries, past, existing, Shape(), table, chained=chained)


def _folded(
    entries: DataFrame,
    past: DataFrame,
    existing: DataFrame,
    shape: Shape,
    table: Table,
    *,
    chained: bool,
) -> Folded:
    together = entries.unionByName(past.withColumn("_is_new", F.lit(False)))
    if chained:
        together = fill_chains(together, table)
    among = None if shape.in_order else existing
    folded = fold(place(together, table, shape), table, shape, among)
    return Folded(folded.localCheckpoint(eager=False), existing, shape)


def _reachable(touched: DataFrame, entries: DataFrame, table: Table) -> DataFrame:
    """Add the keys that depend on touched ones through key changes with absent fields."""
    key = list(table.primary_key)
    edges = (
        entries.filter(F.col(linked(key[0])).isNotNull() & (F.size("_absent") > 0))
        .select(*key, *map(linked, key))
        .distinct()
        .persist()
    )
    try:
        reached = touched.distinct()
        size = reached.count()
        while True:
            neighbours = edges.join(reached, key, "left_semi").select(
                *[F.col(linked(name)).alias(name) for name in key]
            )
            reached = reached.unionByName(neighbours).distinct().localCheckpoint()
            grown = reached.count()
            if grown == size:
                return reached
            size = grown
    finally:
        edges.unpersist()


def fill_chains(entries: DataFrame, table: Table) -> DataFrame:
    """Fill key changes with absent fields, link by link, until nothing changes."""
    names = [name for name in table.column_names if name not in table.primary_key]

    def fingerprint(frame: DataFrame) -> Any:
        content = F.xxhash64(*names, "_topic_id", "_partition", "_offset", "_kind")
        return frame.agg(F.sum(content.cast("decimal(38,0)"))).first()

    filled = entries.localCheckpoint()
    seen = fingerprint(filled)
    while True:
        filled = fill_moves(filled, table).localCheckpoint()
        now = fingerprint(filled)
        if now == seen:
            return filled
        seen = now


def release(checkpointed: DataFrame) -> None:
    """Free the rows of a local checkpoint."""
    plan: Any = checkpointed._jdf.queryExecution().logical()
    plan.rdd().unpersist(False)
