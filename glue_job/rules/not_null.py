"""Rule `not_null`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glue_job.rules.base import RULES, Example, Rule

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

    from glue_job.contract.model import Column


@RULES.register
class NotNull(Rule):
    """The value is present: NULL is rejected, every other value passes."""

    type = "not_null"
    nulls = "fail"
    examples = (
        Example(accepts=["x", "", " "], rejects=[None]),
        Example(accepts=[0, -1], rejects=[None], of="integer"),
    )

    def violates(self, value: SparkColumn, column: Column) -> SparkColumn:
        """Accept whatever is not NULL."""
        from pyspark.sql import functions as F

        return F.lit(False)
