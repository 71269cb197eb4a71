"""Transform `default_value`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from glue_job.parameters import Params, Problem, Scalar
from glue_job.transforms.base import TRANSFORMS, Example, TransformStep, not_on_keys
from glue_job.typed_values import literal, typed_value

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

    from glue_job.contract.model import Column, Table


@TRANSFORMS.register
class DefaultValue(TransformStep):
    """NULL becomes `value`; every other value stays.

    Rules see the NULL, because they run before the transforms.
    """

    type = "default_value"
    params = Params(value=Scalar("what stands in for NULL", required=True))
    examples = (
        Example({"value": "unknown"}, changes=[(None, "unknown"), ("", ""), ("x", "x")]),
        Example({"value": 0}, changes=[(None, 0), (5, 5)], of="integer"),
        Example({"value": "1.50"}, changes=[(None, "1.50")], of="decimal(5,2)"),
        Example(
            {"value": "2026-01-31T12:00:00Z"},
            changes=[(None, "2026-01-31T12:00:00Z")],
            of="timestamp",
        ),
    )

    value: object

    def problems(self, table: Table, column: Column | None) -> Iterable[Problem]:
        """Refuse key columns, and a value that the column cannot hold."""
        yield from not_on_keys(self, table, column)
        if column is None:
            return
        try:
            typed_value(self.value, column.type)
        except ValueError as error:
            yield Problem(f"`value` does not fit `{column.name}`: {error}", key="value")

    def apply(self, value: SparkColumn, column: Column) -> SparkColumn:
        """Fill the gap."""
        from pyspark.sql import functions as F

        return F.coalesce(value, literal(typed_value(self.value, column.type), column.type))
