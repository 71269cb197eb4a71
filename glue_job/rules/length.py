"""Rule `length`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from glue_job.parameters import Integer, Params, Problem
from glue_job.rules.base import RULES, Example, Rule, only_on_strings

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

    from glue_job.contract.model import Column, Table


@RULES.register
class Length(Rule):
    """The text has from `min` to `max` characters, both included.

    A character is a Unicode code point: an emoji outside the basic plane counts once.
    """

    type = "length"
    params = Params(
        min=Integer("fewest accepted characters", minimum=0),
        max=Integer("most accepted characters", minimum=0),
        at_least_one=("min", "max"),
    )
    examples = (
        Example(
            {"min": 2, "max": 3}, accepts=["ab", "abc", "é🚚"], rejects=["", "a", "abcd", "🚚"]
        ),
        Example({"max": 2}, accepts=["", "  "], rejects=["   "]),
    )

    min: int | None
    max: int | None

    def problems(self, table: Table, column: Column | None) -> Iterable[Problem]:
        """Refuse other columns than strings, and an empty range."""
        yield from only_on_strings(self, column)
        if self.min is not None and self.max is not None and self.min > self.max:
            yield Problem(
                f"no value can pass: `min` {self.min} is above `max` {self.max}", key="min"
            )

    def violates(self, value: SparkColumn, column: Column) -> SparkColumn:
        """Count the characters once."""
        from pyspark.sql import functions as F

        characters = F.length(value)
        too_short = F.lit(False) if self.min is None else characters < self.min
        too_long = F.lit(False) if self.max is None else characters > self.max
        return too_short | too_long
