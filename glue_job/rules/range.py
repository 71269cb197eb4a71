"""Rule `range`."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from glue_job.parameters import Bound, Params, Problem
from glue_job.rules.base import RULES, Example, Rule
from glue_job.typed_values import comparable_value, literal, nearest_inside, shown

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

    from glue_job.contract.model import Column, Table
    from glue_job.contract.types import DataType


@RULES.register
class Range(Rule):
    """The value lies between `min` and `max`, both included.

    Columns are numbers, dates or timestamps; a bound of a date or timestamp is written as
    `"2026-01-31"` or `"2026-01-31T12:00:00Z"` (UTC when it names no zone).
    """

    type = "range"
    params = Params(
        min=Bound("smallest accepted value"),
        max=Bound("largest accepted value"),
        at_least_one=("min", "max"),
    )
    examples = (
        Example({"min": 0, "max": 350}, accepts=[0.0, 350.0], rejects=[-0.1, 400.0], of="double"),
        Example({"min": 1}, accepts=["1", 2**40], rejects=[0, -5], of="long"),
        Example(
            {"min": "0.005", "max": 99},
            accepts=["0.01", "99.00"],
            rejects=["0.00", "99.01"],
            of="decimal(6,2)",
        ),
        Example({"min": -1e30, "max": 2147483648}, accepts=[-(2**31), 2**31 - 1], of="integer"),
        Example({"max": -1e30}, rejects=[-(2**31), 2**31 - 1], of="integer"),
        Example({"min": "2020-01-01"}, accepts=["2020-01-01"], rejects=["2019-12-31"], of="date"),
        Example(
            {"min": "2020-01-01", "max": "2020-01-01T12:00:00+02:00"},
            accepts=["2020-01-01T00:00:00Z", "2020-01-01T10:00:00Z"],
            rejects=["2019-12-31T23:59:59.999999Z", "2020-01-01T10:00:00.000001Z"],
            of="timestamp",
        ),
    )

    min: object
    max: object

    def problems(self, table: Table, column: Column | None) -> Iterable[Problem]:
        """Refuse columns without order, bounds of another type, and an empty range."""
        if column is None:
            return
        if not column.type.is_ordered:
            yield Problem(
                f"`range` needs numbers, dates or timestamps; `{column.name}` is {column.type}",
                help=f"change the type of `{column.name}`, or use `allowed_values` or `regex`",
            )
            return
        bounds = {"min": self.min, "max": self.max}
        read = {}
        for key, bound in bounds.items():
            if bound is None:
                continue
            try:
                read[key] = comparable_value(bound, column.type)
            except ValueError as error:
                yield Problem(f"`{key}` does not fit `{column.name}`: {error}", key=key)
        if len(read) == len(bounds) and read["min"] > read["max"]:  # type: ignore[operator]  # one type
            yield Problem(
                f"no value can pass: `min` {shown(self.min)} is above `max` {shown(self.max)}",
                key="min",
            )

    def violates(self, value: SparkColumn, column: Column) -> SparkColumn:
        """Compare with the bounds that are given."""
        from pyspark.sql import functions as F

        inside = F.lit(True)
        if self.min is not None:
            inside = _is_inside(value, self.min, column.type, "min")
        if self.max is not None:
            inside = inside & _is_inside(value, self.max, column.type, "max")
        return ~inside


def _is_inside(
    value: SparkColumn, bound: object, kind: DataType, side: Literal["min", "max"]
) -> SparkColumn:
    from pyspark.sql import functions as F

    read = comparable_value(bound, kind)
    if isinstance(read, Decimal):
        nearest = nearest_inside(read, kind, side)
        if isinstance(nearest, str):
            return F.lit(nearest == ("below all" if side == "min" else "above all"))
        read = nearest
    limit = literal(read, kind)
    return value >= limit if side == "min" else value <= limit
