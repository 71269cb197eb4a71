"""Rule `uuid`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from glue_job.parameters import Problem
from glue_job.rules.base import RULES, Example, Rule, only_on_strings

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

    from glue_job.contract.model import Column, Table

PATTERN = r"\A[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\z"


@RULES.register
class Uuid(Rule):
    """The text is a UUID in its usual spelling: 32 hexadecimal digits in five groups.

    Case does not matter, nor does the version; braces and a `urn:uuid:` prefix are rejected.
    """

    type = "uuid"
    examples = (
        Example(
            accepts=[
                "123e4567-e89b-12d3-a456-426614174000",
                "123E4567-E89B-12D3-A456-426614174000",
            ],
            rejects=[
                "",
                "123e4567e89b12d3a456426614174000",
                "{123e4567-e89b-12d3-a456-426614174000}",
                "123e4567-e89b-12d3-a456-42661417400g",
                "123e4567-e89b-12d3-a456-426614174000\n",
            ],
        ),
    )

    def problems(self, table: Table, column: Column | None) -> Iterable[Problem]:
        """Refuse other columns than strings."""
        yield from only_on_strings(self, column)

    def violates(self, value: SparkColumn, column: Column) -> SparkColumn:
        """Match the spelling."""
        return ~value.rlike(PATTERN)
