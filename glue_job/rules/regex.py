"""Rule `regex`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from glue_job.parameters import Integer, Params, Problem, Text
from glue_job.regex import LONGEST_VALUE, inspect
from glue_job.rules.base import RULES, Example, Rule, only_on_strings

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

    from glue_job.contract.model import Column, Table


@RULES.register
class Regex(Rule):
    r"""The pattern is found in the text: anywhere, unless it is anchored with `^` and `$`.

    The syntax is Java's. `$` is the very end of the text: no newline may follow. Java's matcher
    backtracks without a time limit, so a pattern that can take very long is refused, and a value
    longer than `max_length` is rejected without being matched. Left out, `max_length` is as
    large as the pattern's worst case allows: 100,000 characters for most anchored patterns, at
    least 250 for every accepted one.
    """

    type = "regex"
    params = Params(
        pattern=Text("the pattern, in Java's syntax", required=True),
        max_length=Integer(
            "longest value that is matched; a longer one is rejected",
            minimum=1,
            maximum=LONGEST_VALUE,
        ),
    )
    examples = (
        Example(
            {"pattern": "^[A-HJ-NPR-Z0-9]{17}$"},
            accepts=["1HGCM82633A004352"],
            rejects=["1HGCM82633A00435", "1HGCM82633A004352\n", "1hgcm82633a004352", ""],
        ),
        Example({"pattern": "[0-9]{3}"}, accepts=["abc123def"], rejects=["ab12"]),
        Example({"pattern": "^EMP-|^TMP-"}, accepts=["EMP-1", "TMP-2"], rejects=["X EMP-1"]),
        Example({"pattern": r"cost: [$]\d+|\$$"}, accepts=["cost: $5", "5 $"], rejects=["5 $\n"]),
        Example({"pattern": "^.*$", "max_length": 3}, accepts=["", "abc"], rejects=["abcd"]),
    )

    pattern: str
    max_length: int | None

    def problems(self, table: Table, column: Column | None) -> Iterable[Problem]:
        """Refuse other columns than strings, patterns Java cannot read, and dangerous ones."""
        yield from only_on_strings(self, column)
        found = inspect(self.pattern)
        for fault in found.faults:
            yield Problem(fault.message, help=fault.help, key="pattern")
        if not found.faults and (self.max_length or 0) > found.longest_value:
            yield Problem(
                f"this pattern can take too long on {self.max_length} characters",
                help=f"at most {found.longest_value} are safe with it",
                key="max_length",
            )

    def violates(self, value: SparkColumn, column: Column) -> SparkColumn:
        """Match after the bound on the length."""
        from pyspark.sql import functions as F

        found = inspect(self.pattern)
        if found.faults:
            raise ValueError(f"pattern {self.pattern!r}: {found.faults[0].message}")
        longest = min(self.max_length or found.longest_value, found.longest_value)
        too_long = F.length(value) > longest
        return F.when(too_long, F.lit(True)).otherwise(~value.rlike(found.java_pattern))
