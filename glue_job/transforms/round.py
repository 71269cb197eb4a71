"""Transform `round`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from glue_job.parameters import Integer, Params, Problem
from glue_job.transforms.base import TRANSFORMS, Example, TransformStep

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

    from glue_job.contract.model import Column, Table


@TRANSFORMS.register
class Round(TransformStep):
    """The number is rounded to `decimals` digits after the point, a half away from zero.

    A double is rounded as it is written: 2.675 becomes 2.68, although its binary value lies just
    below. The type of the column stays.
    """

    type = "round"
    params = Params(
        decimals=Integer("digits kept after the point", required=True, minimum=0, maximum=38)
    )
    examples = (
        Example(
            {"decimals": 5}, changes=[(48.858371234, 48.85837), (-0.000005, -0.00001)], of="double"
        ),
        Example(
            {"decimals": 2}, changes=[(2.675, 2.68), (-2.675, -2.68), (1e300, 1e300)], of="double"
        ),
        Example({"decimals": 0}, changes=[(0.5, 1.0), (-2.5, -3.0), (None, None)], of="double"),
        Example(
            {"decimals": 1},
            changes=[("2.450", "2.500"), ("-2.450", "-2.500"), ("99.949", "99.900")],
            fails=["99.950"],
            of="decimal(5,3)",
        ),
    )

    decimals: int

    def problems(self, table: Table, column: Column | None) -> Iterable[Problem]:
        """Refuse texts, and steps that change nothing."""
        if column is None:
            return
        if column.type.name in {"integer", "long"}:
            yield Problem(f"`round` does nothing: `{column.name}` is {column.type}")
        elif not column.type.is_numeric:
            yield Problem(f"`round` needs a number; `{column.name}` is {column.type}")
        elif column.type.scale is not None and self.decimals >= column.type.scale:
            yield Problem(f"`round` does nothing: `{column.name}` is {column.type}", key="decimals")

    def apply(self, value: SparkColumn, column: Column) -> SparkColumn:
        """Round half up; a decimal that no longer fits its type becomes NULL and so fails."""
        from pyspark.sql import functions as F

        return F.round(value, self.decimals).cast(column.type.spark_ddl)
