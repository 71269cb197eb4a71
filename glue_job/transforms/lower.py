"""Transform `lower`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from glue_job.parameters import Problem
from glue_job.transforms.base import TRANSFORMS, Example, TransformStep, only_on_strings

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

    from glue_job.contract.model import Column, Table


@TRANSFORMS.register
class Lower(TransformStep):
    """Letters become small letters, in every script."""

    type = "lower"
    examples = (
        Example(changes=[("Ada.LOVELACE@X", "ada.lovelace@x"), ("ÄÉ", "äé"), (None, None)]),
    )

    def problems(self, table: Table, column: Column | None) -> Iterable[Problem]:
        """Refuse columns that are not strings."""
        yield from only_on_strings(self, column)

    def apply(self, value: SparkColumn, column: Column) -> SparkColumn:
        """Change the case."""
        from pyspark.sql import functions as F

        return F.lower(value)
