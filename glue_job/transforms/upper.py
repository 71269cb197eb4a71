"""Transform `upper`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from glue_job.parameters import Problem
from glue_job.transforms.base import TRANSFORMS, Example, TransformStep, only_on_strings

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

    from glue_job.contract.model import Column, Table


@TRANSFORMS.register
class Upper(TransformStep):
    """Letters become capitals, in every script."""

    type = "upper"
    examples = (Example(changes=[("ab-123 c", "AB-123 C"), ("äé", "ÄÉ"), (None, None)]),)

    def problems(self, table: Table, column: Column | None) -> Iterable[Problem]:
        """Refuse columns that are not strings."""
        yield from only_on_strings(self, column)

    def apply(self, value: SparkColumn, column: Column) -> SparkColumn:
        """Change the case."""
        from pyspark.sql import functions as F

        return F.upper(value)
