"""From accepted events to entries of the change ledger: one a key that an event touches."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from glue_job.contract.lake import LINKED
from glue_job.contract.model import Table
from glue_job.pipeline.built import built_once

UPSERT, DELETE, LOAD, MOVED_OUT, MOVED_IN, SEED = (
    "upsert", "delete", "load", "moved_out", "moved_in", "seed",
)  # fmt: skip
"""Kinds of entries. A key change is two: out of the old key, into the new one."""

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
    own, left_behind = _own_columns(table), _left_columns(table)
    moved = F.col(f"_old_{table.primary_key[0]}").isNotNull()
    return accepted.select(*own).unionByName(accepted.filter(moved).select(*left_behind))


@built_once
def _own_columns(table: Table) -> list[Column]:
    moved = F.col(f"_old_{table.primary_key[0]}").isNotNull()
    kind = (
        F.when(F.col("_operation") == "delete", DELETE)
        .when(F.col("_operation") == "load", LOAD)
        .when(moved, MOVED_IN)
        .otherwise(UPSERT)
    )
    made = {"_kind": kind} | {linked(name): F.col(f"_old_{name}") for name in table.primary_key}
    return _in_order(made, table)


@built_once
def _left_columns(table: Table) -> list[Column]:
    nothing = {
        column.name: F.lit(None).cast(column.type.spark_ddl)
        for column in table.schema
        if column.name not in table.primary_key
    }
    keys = {name: F.col(f"_old_{name}") for name in table.primary_key}
    made = {
        **nothing,
        **keys,
        **{linked(name): F.col(name) for name in table.primary_key},
        "_kind": F.lit(MOVED_OUT),
        "_present": F.array().cast("array<string>"),
        "_extra": F.lit(None).cast("map<string,string>"),
    }
    return _in_order(made, table)


def _in_order(made: Mapping[str, Column], table: Table) -> list[Column]:
    """Give the columns of an entry: those that are made here, the others as they are."""
    return [
        made[name].alias(name) if name in made else F.col(name) for name in entry_columns(table)
    ]


def seeds(current: DataFrame, table: Table) -> DataFrame:
    """Give the current row of a key as the one entry that stands for its whole past.

    Right for keys whose new events are all later, and were all emitted later, than what is known.
    """
    return current.select(*_seed_columns(table))


@built_once
def _seed_columns(table: Table) -> list[Column]:
    made = {
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
    return _in_order(made, table)
