"""From accepted events to entries of the change ledger: one a key that an event touches."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from glue_job.contract.lake import LINKED
from glue_job.contract.model import Table

UPSERT, DELETE, LOAD, MOVED_OUT, MOVED_IN, SEED = (
    "upsert", "delete", "load", "moved_out", "moved_in", "seed",
)  # fmt: skip
"""Kinds of entries. A key change is two: out of the old key, into the new one."""

POSITION = ("_time", "_sequenced", "_lsn", "_record_id", "_emitted_at")
COORDINATES = ("_topic", "_topic_id", "_partition", "_offset")


def linked(name: str) -> str:
    """Name the column that holds the other key of a key change."""
    return f"{LINKED}{name}"


def entry_columns(table: Table) -> tuple[str, ...]:
    """Name the columns of an entry, in the ledger's order."""
    return (
        *table.primary_key,
        "_time",
        "_emitted_at",
        *[name for name in table.column_names if name not in table.primary_key],
        "_kind",
        "_operation",
        "_present",
        "_absent",
        "_extra",
        "_sequenced",
        "_lsn",
        "_record_id",
        *[linked(name) for name in table.primary_key],
        *COORDINATES,
        "_release",
    )


def to_entries(accepted: DataFrame, table: Table) -> DataFrame:
    """Split key changes in two and name what each event is to its key.

    Args:
        accepted: events of `parse_envelope` after rules and transforms, with `_topic_id` and
            `_release` (0 for a delivery, higher for a release from quarantine).
        table: the table's entry of tables.yaml.

    Returns:
        The columns of `entry_columns`. A `moved_out` entry has the old key and no values.
    """
    first_key = table.primary_key[0]
    moved = F.col(f"_old_{first_key}").isNotNull()
    kind = (
        F.when(F.col("_operation") == "delete", DELETE)
        .when(F.col("_operation") == "load", LOAD)
        .when(moved, MOVED_IN)
        .otherwise(UPSERT)
    )
    own = accepted.select(
        "*",
        kind.alias("_kind"),
        *[F.col(f"_old_{name}").alias(linked(name)) for name in table.primary_key],
    ).select(*entry_columns(table))
    left_behind = accepted.filter(moved).select(
        *[F.col(f"_old_{name}").alias(name) for name in table.primary_key],
        *[
            F.lit(None).cast(column.type.spark_ddl).alias(column.name)
            for column in table.schema
            if column.name not in table.primary_key
        ],
        F.lit(MOVED_OUT).alias("_kind"),
        *[F.col(name).alias(linked(name)) for name in table.primary_key],
        "_operation",
        F.array().cast("array<string>").alias("_present"),
        "_absent",
        F.lit(None).cast("map<string,string>").alias("_extra"),
        *POSITION,
        *COORDINATES,
        "_release",
    )
    return own.unionByName(left_behind.select(*entry_columns(table)))


def seeds(current: DataFrame, table: Table) -> DataFrame:
    """Give the current row of a key as the one entry that stands for its whole past.

    Right for keys whose new events are all later, and were all emitted later, than what is known.
    """
    from_row = {
        "_time": F.col("_effective_from"),
        "_emitted_at": F.lit(None).cast("timestamp"),
        "_kind": F.lit(SEED),
        "_operation": F.lit(SEED),
        "_present": F.array_except(
            F.array(*[F.lit(name) for name in table.column_names]), F.col("_unknown")
        ),
        "_absent": F.array().cast("array<string>"),
        "_extra": F.lit(None).cast("map<string,string>"),
        "_sequenced": F.lit(True),
        "_lsn": F.lit(""),
        "_record_id": F.lit(0).cast("bigint"),
        "_topic": F.lit(None).cast("string"),
        "_topic_id": F.lit(None).cast("string"),
        "_partition": F.lit(None).cast("int"),
        "_offset": F.lit(None).cast("bigint"),
        "_release": F.lit(0),
        **{
            linked(name): F.lit(None).cast(table.column(name).type.spark_ddl)
            for name in table.primary_key
        },
    }
    return current.select(
        *[
            from_row[name].alias(name) if name in from_row else F.col(name)
            for name in entry_columns(table)
        ]
    )
