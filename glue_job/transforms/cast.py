"""Transform `cast`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from glue_job.contract.types import DataType
from glue_job.parameters import Params, Problem, TypeName
from glue_job.transforms.base import TRANSFORMS, Example, TransformStep

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

    from glue_job.contract.model import Column, Table

_SUPPORTED = {
    "string": {"integer", "long", "double", "decimal", "boolean", "date", "timestamp"},
    "integer": {"long", "double", "decimal", "string", "boolean"},
    "long": {"integer", "double", "decimal", "string"},
    "double": {"integer", "long", "decimal", "string"},
    "decimal": {"integer", "long", "double", "decimal", "string"},
    "boolean": {"string", "integer"},
    "date": {"string", "timestamp"},
    "timestamp": {"string", "date"},
}


@TRANSFORMS.register
class Cast(TransformStep):
    """The value is turned into type `to`; one that cannot be turned exactly fails.

    A text is read as a column declared with that type reads it. A number must keep its value: 1.0
    becomes the integer 1, 1.5 fails; a timestamp becomes a date at midnight UTC only. The lake
    stores the type that `schema` gives, so the last step of a column must lead back to it.
    """

    type = "cast"
    params = Params(to=TypeName("the type after this step", required=True))
    examples = (
        Example(
            {"to": "integer"},
            changes=[("42", 42), ("1.0", 1), (None, None)],
            fails=["7x", "1.5", ""],
        ),
        Example({"to": "decimal(5,2)"}, changes=[("1.1", "1.10")], fails=["1.101", "1000"]),
        Example({"to": "boolean"}, changes=[("t", True), ("FALSE", False)], fails=["yes"]),
        Example({"to": "date"}, changes=[("2026-01-31", "2026-01-31")], fails=["2026-02-30"]),
        Example({"to": "integer"}, changes=[(3.0, 3), (-0.0, 0)], fails=[1.5, 1e10], of="double"),
        Example({"to": "string"}, changes=[(42, "42")], of="integer"),
        Example(
            {"to": "date"},
            changes=[("2026-01-31T00:00:00Z", "2026-01-31")],
            fails=["2026-01-31T00:00:01Z"],
            of="timestamp",
        ),
        Example({"to": "double"}, changes=[(2**53, float(2**53))], fails=[2**53 + 1], of="long"),
    )

    to: str

    def problems(self, table: Table, column: Column | None) -> Iterable[Problem]:
        """Refuse pairs of types that no value can be turned between."""
        if column is None:
            return
        target = DataType.parse(self.to)
        if column.type == target:
            yield Problem(f"`cast` does nothing: `{column.name}` is {target} here", key="to")
        elif target.name not in _SUPPORTED[column.type.name]:
            yield Problem(f"{column.type} cannot be turned into {target}", key="to")

    def columns_after(self, column: Column) -> Column:
        """Give the column with the new type."""
        return replace(column, type=DataType.parse(self.to))

    def apply(self, value: SparkColumn, column: Column) -> SparkColumn:
        """Turn the value, and keep it only when it can be turned back into the same."""
        from pyspark.sql import functions as F

        from glue_job.pipeline.values import read

        target = DataType.parse(self.to)
        if column.type.name == "string":
            return read(value, target)
        turned = value.cast(target.spark_ddl)
        if target.name == "string":
            return turned
        is_exact = turned.cast(column.type.spark_ddl) == value
        return F.when(is_exact, turned)
