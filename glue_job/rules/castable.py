"""Rule `castable`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from glue_job.contract.types import DataType
from glue_job.parameters import Params, Problem, TypeName
from glue_job.rules.base import RULES, Example, Rule, only_on_strings

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

    from glue_job.contract.model import Column, Table


@RULES.register
class Castable(Rule):
    """The text spells a value of type `to`, exactly.

    For columns that stay strings in the lake although they hold a time, a number or a boolean, as
    DMS delivers them. The spelling is that of a column declared with this type.
    """

    type = "castable"
    params = Params(to=TypeName("the type that the text must spell", required=True))
    examples = (
        Example(
            {"to": "timestamp"},
            accepts=["2026-01-31T12:00:00Z", "2026-01-31 12:00:00.123456"],
            rejects=["", "yesterday", "2026-02-30T00:00:00Z"],
        ),
        Example({"to": "integer"}, accepts=["42", "1.0"], rejects=["", "7x", "1.5", "2147483648"]),
        Example({"to": "boolean"}, accepts=["true", "F"], rejects=["yes", "2"]),
        Example({"to": "decimal(5,2)"}, accepts=["1.100"], rejects=["1.101", "1000"]),
        Example({"to": "date"}, accepts=["2026-01-31"], rejects=["31.01.2026", "2026-02-30"]),
    )

    to: str

    def problems(self, table: Table, column: Column | None) -> Iterable[Problem]:
        """Refuse other columns than strings, and a type that every text spells."""
        yield from only_on_strings(self, column)
        if self.to == "string":
            yield Problem("every value passes: each text is a string", key="to")

    def violates(self, value: SparkColumn, column: Column) -> SparkColumn:
        """Read the text as the parser of the messages does."""
        from glue_job.pipeline.values import read

        return read(value, DataType.parse(self.to)).isNull()
