"""Quarantine without personal data: what a `quarantine: masked` table keeps of a refused row."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from glue_job.contract.model import Table
from glue_job.transforms import TRANSFORMS

_HIDING = ("mask_pii", "hash")


def hidden_columns(table: Table) -> frozenset[str]:
    """Name the columns whose values must not be kept: `pii`, or masked on their way to the lake."""
    masked = {step.column for step in table.transforms if step.type in _HIDING}
    return frozenset(masked | {column.name for column in table.schema if column.pii})


def mask_refused(rows: DataFrame, table: Table) -> DataFrame:
    """Leave the masked form only.

    Args:
        rows: rows of quarantine, as `refused` gives them.
        table: the table's entry of tables.yaml.

    Returns:
        The same columns. A hidden column holds what its mask or hash makes of it, else NULL;
        `_raw_value` is NULL, so that the row cannot be released; `actual` of a failed rule on a
        hidden column is NULL.
    """
    hidden = hidden_columns(table)
    failed = F.transform(
        "_failed_rules",
        lambda rule: rule.withField(
            "actual",
            F.when(~F.coalesce(rule["column"].isin(*hidden), F.lit(False)), rule["actual"]),
        ),
    )
    own: dict[str, Column] = {name: _masked(table, name) for name in hidden}
    if hidden:
        own["_failed_rules"] = failed
    own["_raw_value"] = F.lit(None).cast("string")
    return rows.select(
        *[own[name].alias(name) if name in own else F.col(name) for name in rows.columns]
    )


def _masked(table: Table, name: str) -> Column:
    column = table.column(name)
    steps = [s for s in table.ordered_transforms if s.column == name and s.type in _HIDING]
    if not steps or column.type.name != "string":
        return F.lit(None).cast(column.type.spark_ddl)
    value = F.col(name)
    for step in steps:
        value = TRANSFORMS.build(step.type, step.params).apply(value, column)
    return value
