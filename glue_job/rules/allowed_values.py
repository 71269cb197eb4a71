"""Rule `allowed_values`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from glue_job.parameters import Params, Problem, Values
from glue_job.rules.base import RULES, Example, Rule
from glue_job.typed_values import TypedValue, literal, shown, typed_value

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

    from glue_job.contract.model import Column, Table


@RULES.register
class AllowedValues(Rule):
    """The value is one of `values`, compared in the type of the column.

    Texts are compared exactly: case and spaces count. A list entry for a date, timestamp or
    decimal may be written as a text.
    """

    type = "allowed_values"
    params = Params(values=Values("the accepted values", required=True))
    examples = (
        Example(
            {"values": ["active", "idle"]}, accepts=["active"], rejects=["Active", "idle ", ""]
        ),
        Example({"values": [1, 2, "3"]}, accepts=[1, 3], rejects=[0, 4], of="integer"),
        Example(
            {"values": [1.5, "2.50"]}, accepts=["1.50", "2.50"], rejects=["1.51"], of="decimal(5,2)"
        ),
        Example({"values": [True]}, accepts=[True], rejects=[False], of="boolean"),
        Example(
            {"values": ["2026-01-31"]}, accepts=["2026-01-31"], rejects=["2026-02-01"], of="date"
        ),
        Example(
            {"values": ["2026-01-31T01:00:00+01:00"]},
            accepts=["2026-01-31T00:00:00Z"],
            rejects=["2026-01-31T01:00:00Z"],
            of="timestamp",
        ),
    )

    values: Sequence[object]

    def problems(self, table: Table, column: Column | None) -> Iterable[Problem]:
        """Refuse values that the column cannot hold, and repetitions."""
        if column is None:
            return
        seen: set[TypedValue] = set()
        for item, value in enumerate(self.values):
            try:
                read = typed_value(value, column.type)
            except ValueError as error:
                yield Problem(
                    f"a value does not fit `{column.name}` ({column.type}): {error}",
                    key="values",
                    item=item,
                )
                continue
            if read in seen:
                yield Problem(f"{shown(value)} stands twice in `values`", key="values", item=item)
            seen.add(read)

    def violates(self, value: SparkColumn, column: Column) -> SparkColumn:
        """Look the value up among literals of its own type."""
        accepted = [literal(typed_value(entry, column.type), column.type) for entry in self.values]
        return ~value.isin(*accepted)
