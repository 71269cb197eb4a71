"""Rule `range`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glue_job.parameters import Bound, Params
from glue_job.rules.base import RULES, Example, Rule

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

    from glue_job.contract.model import Column


@RULES.register
class Range(Rule):
    """The value lies between `min` and `max`, both included."""

    type = "range"
    params = Params(
        min=Bound("smallest accepted value"),
        max=Bound("largest accepted value"),
        at_least_one=("min", "max"),
    )
    examples = (
        Example(
            {"min": 0, "max": 120},
            accepts=[0.0, 120.0],
            rejects=[-0.1, 120.1],
            of="double",
        ),
    )

    min: object
    max: object

    def violates(self, value: SparkColumn, column: Column) -> SparkColumn:
        """Compare with the bounds that are given."""
        from pyspark.sql import functions as F

        too_low = F.lit(False) if self.min is None else value < F.lit(self.min)
        too_high = F.lit(False) if self.max is None else value > F.lit(self.max)
        return too_low | too_high
