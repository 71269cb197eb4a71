"""Step 4, transform: the values that the lake holds, or a row that is refused."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from glue_job.contract.model import Table
from glue_job.pipeline.built import built_once
from glue_job.transforms import TRANSFORMS


def apply_transforms(events: DataFrame, table: Table) -> DataFrame:
    """Run the transforms of a table, by ascending `order`.

    Args:
        events: accepted events with the data columns of the table.
        table: the table's entry of tables.yaml.

    Returns:
        The events with changed values in the lake's types. A field that an update does not carry
        stays absent: no step makes a value of it.
    """
    after = _stored(table)
    return events.select(*[after.get(name, F.col(name)) for name in events.columns])


@built_once
def _stored(table: Table) -> dict[str, Column]:
    """Give the columns that some transform changes."""
    absent = F.col("_absent")
    return {
        name: F.when(~F.array_contains(absent, name) & (F.col("_operation") != "delete"), after)
        .otherwise(F.col(name))
        .alias(name)
        for name, after in _values_after(table).items()
    }


def cannot_transform(table: Table) -> list[tuple[str, Column]]:
    """Give the id of each transform and where it cannot be done: true there, never NULL."""
    found: list[tuple[str, Column]] = []
    value: dict[str, Column] = {}
    shape = {column.name: column for column in table.schema}
    for step in table.ordered_transforms:
        before = value.get(step.column, F.col(step.column))
        transform = TRANSFORMS.build(step.type, step.params)
        after = transform.apply(before, shape[step.column])
        found.append((step.id, F.coalesce(transform.failed(before, after), F.lit(True))))
        shape[step.column] = transform.columns_after(shape[step.column])
        value[step.column] = after
    for name, last in value.items():
        kind = table.column(name).type
        if shape[name].type != kind:
            steps = [step.id for step in table.ordered_transforms if step.column == name]
            stored = last.cast(kind.spark_ddl)
            found.append((steps[-1], last.isNotNull() & stored.isNull()))
    return found


def _values_after(table: Table) -> dict[str, Column]:
    after: dict[str, Column] = {}
    shape = {column.name: column for column in table.schema}
    for step in table.ordered_transforms:
        transform = TRANSFORMS.build(step.type, step.params)
        after[step.column] = transform.apply(
            after.get(step.column, F.col(step.column)), shape[step.column]
        )
        shape[step.column] = transform.columns_after(shape[step.column])
    return {name: value.cast(table.column(name).type.spark_ddl) for name, value in after.items()}
