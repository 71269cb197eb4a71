"""What the batch log says of one table, in memory that does not grow with its batches.

Kept are sums over all batches and the record of the newest batch of each application. An older one
is looked up in the log: only a replay, a checkpoint put back and an offset read twice ask for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from glue_job.contract.lake import BATCH_COLUMNS, OUTCOMES
from glue_job.edge import delta
from glue_job.pipeline.report import Batch, Offsets, Recorded, Watermark

_RANGES = "map<string, map<string, array<bigint>>>"
_WATERMARK = (
    "effective string, emission string, loaded string, "
    "commit_time_seen boolean, sparse_moves boolean"
)


class BatchLog:
    """The records of one table's batches."""

    def __init__(self, path: str, table: str) -> None:
        """Name the log; nothing is read yet."""
        self._path = path
        self._table = table
        self._forget()

    def _forget(self) -> None:
        self._newest: dict[str, Recorded] = {}
        self._last: Recorded | None = None
        self._reached = Watermark()
        self._ends: dict[tuple[str, int], int] = {}

    def load(self, spark: SparkSession) -> None:
        """Read the log; done when a run starts, and when another writer may have added to it."""
        self._forget()
        if not delta.exists(spark, self._path) or delta.is_untouched(spark, self._path):
            return
        for row in _summed(self._rows(spark)).collect():
            self._reached = self._reached.joined(Watermark(**row["reached"].asDict()))
            if row["partition"] is not None:
                self._reach(row["topic_id"], int(row["partition"]), row["end"])
            self._know(_recorded(row["newest"].asDict()))

    def _rows(self, spark: SparkSession) -> DataFrame:
        return delta.read(spark, self._path).filter(F.col("table_name") == self._table)

    def remember(self, recorded: Recorded) -> None:
        """Take in what was just written to the log."""
        self._reached = self._reached.joined(recorded.watermark)
        for topic_id, partitions in recorded.offsets.items():
            for partition, (_, end) in partitions.items():
                self._reach(topic_id, partition, end)
        self._know(recorded)

    def _reach(self, topic_id: str, partition: int, end: int) -> None:
        place = (topic_id, partition)
        self._ends[place] = max(end, self._ends.get(place, 0))

    def _know(self, recorded: Recorded) -> None:
        batch = recorded.batch
        known = self._newest.get(batch.application_id)
        if known is None or known.batch.batch_id <= batch.batch_id:
            self._newest[batch.application_id] = recorded
        if self._last is None or self._last.batch.processed_at <= batch.processed_at:
            self._last = recorded

    def find(self, spark: SparkSession, application_id: str, batch_id: int) -> Recorded | None:
        """Find the record of a batch."""
        newest = self._newest.get(application_id)
        if newest is None or newest.batch.batch_id < batch_id:
            return None
        if newest.batch.batch_id == batch_id:
            return newest
        found = self._rows(spark).filter(_is(application_id, batch_id)).first()
        return None if found is None else _recorded(found.asDict())

    def last(self) -> Recorded | None:
        """Give the record of the batch that was taken last."""
        return self._last

    def newest(self) -> Iterable[Recorded]:
        """Give the record of the newest batch of each application."""
        return tuple(self._newest.values())

    def ends(self, topic_id: str) -> dict[int, int]:
        """Give, by partition, the offset after the last one that any batch has read."""
        return {
            partition: end for (topic, partition), end in self._ends.items() if topic == topic_id
        }

    def watermark(self) -> Watermark:
        """Give how far the accepted events of all batches reach."""
        return self._reached

    def watermark_of_others(self, spark: SparkSession, batch: Batch) -> Watermark:
        """Give how far the accepted events of all batches but one reach."""
        if self.find(spark, batch.application_id, batch.batch_id) is None:
            return self._reached
        reached = Watermark()
        others = self._rows(spark).filter(~_is(batch.application_id, batch.batch_id))
        for row in _summed(others).collect():
            reached = reached.joined(Watermark(**row["reached"].asDict()))
        return reached

    def overlaps(self, spark: SparkSession, batch: Batch, offsets: Offsets) -> bool:
        """Tell whether another batch has read some of these offsets."""
        own = self.find(spark, batch.application_id, batch.batch_id)
        begins = [
            (topic_id, partition, first, end)
            for topic_id, partitions in offsets.items()
            for partition, (first, end) in partitions.items()
        ]
        if own is None and all(
            first >= self._ends.get((topic_id, partition), 0)
            for topic_id, partition, first, _ in begins
        ):
            return False
        ranges = F.from_json("offsets", _RANGES)
        shared = F.lit(False)
        for topic_id, partition, first, end in begins:
            known = ranges[topic_id][str(partition)]
            shared = shared | ((known[0] < end) & (known[1] > first))
        others = self._rows(spark).filter(~_is(batch.application_id, batch.batch_id))
        return not others.filter(shared).isEmpty()


def _is(application_id: str, batch_id: int) -> Column:
    return (F.col("application_id") == application_id) & (F.col("batch_id") == batch_id)


def _summed(rows: DataFrame) -> DataFrame:
    """Sum records up.

    Args:
        rows: records of one table.

    Returns:
        One row an application, topic and partition: `application_id, topic_id, partition` (the
        last two NULL where nothing was read), `end` (the highest offset after a range), `reached`
        (the watermark), `newest` (the record of the highest batch).
    """
    fields = [part.split()[0] for part in _WATERMARK.split(", ")]
    mark = F.from_json("watermark", _WATERMARK)
    topics = rows.select(
        *BATCH_COLUMNS,
        mark.alias("mark"),
        F.explode_outer(F.from_json("offsets", _RANGES)).alias("topic_id", "partitions"),
    )
    ranges = topics.select(
        *BATCH_COLUMNS,
        "mark",
        "topic_id",
        F.explode_outer("partitions").alias("partition", "range"),
    )
    newest = F.max_by(F.struct(*BATCH_COLUMNS), "batch_id")
    reached = F.struct(*[F.max(F.col("mark")[name]).alias(name) for name in fields])
    return ranges.groupBy("application_id", "topic_id", "partition").agg(
        F.max(F.col("range")[1]).alias("end"), reached.alias("reached"), newest.alias("newest")
    )


def _recorded(row: dict[str, Any]) -> Recorded:
    offsets = json.loads(row["offsets"])
    at: datetime = row["processed_at"]
    return Recorded(
        batch=Batch(
            application_id=row["application_id"],
            batch_id=row["batch_id"],
            processed_at=at if at.tzinfo else at.astimezone(UTC),
            config_hash=row["config_hash"],
            source=row["source"],
            is_guarded=False,
        ),
        offsets={
            topic: {int(partition): (first, end) for partition, (first, end) in ranges.items()}
            for topic, ranges in offsets.items()
        },
        watermark=Watermark(**json.loads(row["watermark"])),
        consumed=row["consumed"],
        outcomes={name: row[name] for name in OUTCOMES},
    )
