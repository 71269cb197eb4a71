"""What one pass over the checked rows of a batch counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from glue_job.contract.model import Table
from glue_job.pipeline.built import built_once
from glue_job.pipeline.envelope import SEPARATOR
from glue_job.pipeline.report import Watermark

_ISO = "yyyy-MM-dd'T'HH:mm:ss.SSSSSS"


@dataclass(frozen=True)
class Summary:
    """What one pass over the checked rows counts."""

    rows: int
    data: int
    tombstones: int
    controls: int
    refused: int
    offsets: Mapping[str, Mapping[int, tuple[int, int]]]
    first_change: str
    first_emission: str
    first_load: str
    watermark: Watermark
    unsequenced: int
    moves: int
    loads: int
    fields_missing: int
    drift: Mapping[str, int]
    warned: Mapping[str, int]
    broken: Mapping[str, int]


def summarize(checked: DataFrame, table: Table) -> Summary:
    """Count everything that a batch needs to know in one pass, which also fills the cache."""
    counts = checked.groupBy("_topic_id", "_partition").agg(*_counts(table)).collect()
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

    def lowest(name: str) -> str:
        return min((row[name] for row in counts if row[name]), default="")

    rules = _broken_rules(checked, table) if total.get("refused") or total.get("warned") else {}
    severity = {rule.id: rule.severity for rule in table.dq_rules}
    return Summary(
        rows=total.get("rows", 0),
        data=total.get("data", 0),
        tombstones=total.get("tombstones", 0),
        controls=total.get("controls", 0),
        refused=total.get("refused", 0),
        offsets=offsets,
        first_change=lowest("first_change"),
        first_emission=lowest("first_emission"),
        first_load=lowest("first_load"),
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
        warned={id: n for id, n in rules.items() if n and severity[id] == "warning"},
        broken={id: n for id, n in rules.items() if n and severity[id] == "error"},
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
        return F.date_format(time, _ISO)

    latest_load = F.max(F.when(load, F.col("_emitted_at")))
    return [
        F.count(F.lit(1)).alias("rows"),
        F.min("_offset").alias("first"),
        F.max("_offset").alias("last"),
        count(data).alias("data"),
        count(F.col("_class") == "tombstone").alias("tombstones"),
        count(F.col("_class") == "control").alias("controls"),
        count(data & (F.col("_failed") != "")).alias("refused"),
        text(F.min(F.when(change, F.col("_time")))).alias("first_change"),
        text(F.max(F.when(change, F.col("_time")))).alias("last_change"),
        text(F.min(F.when(change, F.col("_emitted_at")))).alias("first_emission"),
        text(F.max(F.when(change, F.col("_emitted_at")))).alias("last_emission"),
        text(F.min(F.when(load, F.col("_emitted_at")))).alias("first_load"),
        text(latest_load).alias("last_load"),
        count(change & F.col("_sequenced")).alias("sequenced"),
        count(change & ~F.col("_sequenced")).alias("unsequenced"),
        count(load).alias("loads"),
        count(moved).alias("moves"),
        count(sparse).alias("sparse"),
        count(data & (F.size("_absent") > 0)).alias("fields_missing"),
        count(data & F.col("_extra").isNotNull()).alias("drifting"),
        count(data & (F.col("_warned") != "")).alias("warned"),
    ]


def _broken_rules(checked: DataFrame, table: Table) -> dict[str, int]:
    """Count the rows that break each rule, whatever its severity."""
    ids = [rule.id for rule in table.dq_rules]
    codes = F.explode(F.split(F.concat_ws(SEPARATOR, "_failed", "_warned"), SEPARATOR))
    broken = checked.filter((F.col("_failed") != "") | (F.col("_warned") != ""))
    counted = broken.select(codes.alias("id")).filter(F.col("id").isin(ids)).groupBy("id").count()
    return {row["id"]: row["count"] for row in counted.collect()}


def _unknown_fields(checked: DataFrame) -> dict[str, int]:
    """Count the messages with each field that no column has."""
    fields = checked.select(F.explode(F.map_keys("_extra")).alias("field"))
    return {row["field"]: row["count"] for row in fields.groupBy("field").count().collect()}
