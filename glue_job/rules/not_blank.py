"""Rule `not_blank`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from glue_job.parameters import Problem
from glue_job.rules.base import RULES, Example, Rule, only_on_strings

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

    from glue_job.contract.model import Column, Table


@RULES.register
class NotBlank(Rule):
    """The text has at least one character that is not white space.

    NULL passes; `nulls: fail` or a `not_null` rule beside it refuses NULL too.
    """

    type = "not_blank"
    examples = (Example(accepts=["x", " x "], rejects=["", "   ", "\t\n", "\u00a0\u2003"]),)

    def problems(self, table: Table, column: Column | None) -> Iterable[Problem]:
        """Refuse other columns than strings."""
        yield from only_on_strings(self, column)

    def violates(self, value: SparkColumn, column: Column) -> SparkColumn:
        r"""Look for one character outside Unicode's white space (`\p{IsWhite_Space}` in Java)."""
        return ~value.rlike(r"\P{IsWhite_Space}")
