"""What one pass over the checked rows of a batch counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from glue_job.contract.model import Table
from glue_job.pipeline.built import built_once
from glue_job.pipeline.envelope import SEPARATOR
from glue_job.pipeline.report import ISO, Watermark


@dataclass(frozen=True)
class Summary:
    """What one pass over the checked rows counts."""

    rows: int
    data: int
    tombstones: int
    controls: int
    refused: int
    offsets: Mapping[str, Mapping[int, tuple[int, int]]]
    late: int
    """Accepted events that are not later, or were not emitted later, than all that is known."""
    watermark: Watermark
    unsequenced: int
    moves: int
    loads: int
    fields_missing: int
    drift: Mapping[str, int]
    warned: Mapping[str, int]
    broken: Mapping[str, int]
    reasons: Mapping[str, int]
    """Rows by each rule they break and each other reason, whatever its severity."""
    earliest: str
    """The earliest time of an accepted event."""


def is_late(before: Watermark, is_load: Column) -> Column:
    """Tell whether an event may have to be placed among what other batches have brought.

    The current row of a key stands for its whole past when its events are later than all others. A
    change must also have been emitted after every known load, which else would be placed behind it.

    Args:
        before: how far the events of other batches reach.
        is_load: whether the row, with `_time` and `_emitted_at`, is a load.
    """

    def reaches(time: str, mark: str) -> Column:
        return F.col(time) <= F.lit(mark).cast("timestamp") if mark else F.lit(False)

    load = reaches("_emitted_at", before.effective) | reaches("_emitted_at", before.emission)
    change = reaches("_time", before.effective) | reaches("_emitted_at", before.loaded)
    return F.when(is_load, load).otherwise(change)


def summarize(checked: DataFrame, table: Table, before: Watermark) -> Summary:
    """Count everything that a batch needs to know in one pass, which also fills the cache."""
    ok = (F.col("_class") == "data") & (F.col("_failed") == "")
    late = F.sum((ok & is_late(before, F.col("_operation") == "load")).cast("bigint"))
    counts = (
        checked.groupBy("_topic_id", "_partition")
        .agg(*_counts(table), late.alias("late"))
        .collect()
    )
    total: dict[str, int] = {}
    for row in counts:
        for name, value in row.asDict().items():
            if isinstance(value, int):
                total[name] = total.get(name, 0) + value
    offsets: dict[str, dict[int, tuple[int, int]]] = {}
    for row in counts:
        offsets.setdefault(row["_topic_id"], {})[row["_partition"]] = (
            row["first"],
            row["last"] + 1,
        )

    def highest(name: str) -> str:
        return max((row[name] or "" for row in counts), default="")

    reasons = _reasons(checked) if total.get("refused") or total.get("warned") else {}
    severity = {rule.id: rule.severity for rule in table.dq_rules}

    def of_severity(wanted: str) -> dict[str, int]:
        return {id: n for id, n in reasons.items() if severity.get(id) == wanted}

    return Summary(
        rows=total.get("rows", 0),
        data=total.get("data", 0),
        tombstones=total.get("tombstones", 0),
        controls=total.get("controls", 0),
        refused=total.get("refused", 0),
        offsets=offsets,
        late=total.get("late", 0),
        watermark=Watermark(
            effective=max(highest("last_change"), highest("last_load")),
            emission=highest("last_emission"),
            loaded=highest("last_load"),
            commit_time_seen=total.get("sequenced", 0) > 0,
            sparse_moves=total.get("sparse", 0) > 0,
        ),
        unsequenced=total.get("unsequenced", 0),
        moves=total.get("moves", 0),
        loads=total.get("loads", 0),
        fields_missing=total.get("fields_missing", 0),
        drift=_unknown_fields(checked) if total.get("drifting") else {},
        warned=of_severity("warning"),
        broken=of_severity("error"),
        reasons=reasons,
        earliest=min((row["earliest"] for row in counts if row["earliest"]), default=""),
    )


@built_once
def _counts(table: Table) -> list[Column]:
    data = F.col("_class") == "data"
    ok = data & (F.col("_failed") == "")
    change = ok & (F.col("_operation") != "load")
    load = ok & (F.col("_operation") == "load")
    moved = ok & F.col(f"_old_{table.primary_key[0]}").isNotNull()
    sparse = moved & (F.size("_absent") > 0)

    def count(condition: Column) -> Column:
        return F.coalesce(F.sum(condition.cast("bigint")), F.lit(0))

    def text(time: Column) -> Column:
        return F.date_format(time, ISO)

    latest_load = F.max(F.when(load, F.col("_emitted_at")))
    return [
        F.count(F.lit(1)).alias("rows"),
        F.min("_offset").alias("first"),
        F.max("_offset").alias("last"),
        count(data).alias("data"),
        count(F.col("_class") == "tombstone").alias("tombstones"),
        count(F.col("_class") == "control").alias("controls"),
        count(data & (F.col("_failed") != "")).alias("refused"),
        text(F.max(F.when(change, F.col("_time")))).alias("last_change"),
        text(F.max(F.when(change, F.col("_emitted_at")))).alias("last_emission"),
        text(latest_load).alias("last_load"),
        text(F.min(F.when(ok, F.col("_time")))).alias("earliest"),
        count(change & F.col("_sequenced")).alias("sequenced"),
        count(change & ~F.col("_sequenced")).alias("unsequenced"),
        count(load).alias("loads"),
        count(moved).alias("moves"),
        count(sparse).alias("sparse"),
        count(data & (F.size("_absent") > 0)).alias("fields_missing"),
        count(data & F.col("_extra").isNotNull()).alias("drifting"),
        count(data & (F.col("_warned") != "")).alias("warned"),
    ]


def _reasons(checked: DataFrame) -> dict[str, int]:
    """Count the rows by each rule they break and each other reason."""
    codes = F.explode(F.split(F.concat_ws(SEPARATOR, "_failed", "_warned"), SEPARATOR))
    broken = checked.filter((F.col("_failed") != "") | (F.col("_warned") != ""))
    counted = broken.select(codes.alias("id")).filter("id != ''").groupBy("id").count()
    return {row["id"]: row["count"] for row in counted.collect()}


def _unknown_fields(checked: DataFrame) -> dict[str, int]:
    """Count the messages with each field that no column has."""
    fields = checked.select(F.explode(F.map_keys("_extra")).alias("field"))
    return {row["field"]: row["count"] for row in fields.groupBy("field").count().collect()}
