"""Metric `compliance`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from glue_job.metrics.base import METRICS, Example, Metric, deequ_analyzers
from glue_job.metrics.predicate import PredicateError, parse_predicate
from glue_job.parameters import Params, Problem, Text

if TYPE_CHECKING:
    from glue_job.contract.model import Column, Table


@METRICS.register
class Compliance(Metric):
    """The share of rows for which `predicate` holds; where it is unknown (NULL) it does not hold.

    A predicate is a condition on the columns of the table: comparisons, AND, OR, NOT, IS NULL, IN,
    BETWEEN, LIKE, arithmetic, parentheses, and the functions abs, coalesce, length, lower, trim
    and upper. Texts stand in single quotes, moments are written `DATE '2026-01-31'`. A `column`,
    if given, only names the metric in the metrics table.
    """

    type = "compliance"
    deequ_name = "Compliance"
    needs_column = False
    params = Params(predicate=Text("the condition on the columns of one row", required=True))
    examples = (
        Example(
            measured=0.5,
            params={"predicate": "speed >= 0 AND speed < limit * 1.1"},
            rows=(
                {"speed": 50.0, "limit": 50.0},
                {"speed": 54.9, "limit": 50.0},
                {"speed": 55.5, "limit": 50.0},
                {"speed": None, "limit": 50.0},
            ),
            of="double",
        ),
        Example(
            measured=0.0,
            params={"predicate": "speed >= 0"},
            rows=({"speed": None}, {"speed": None}),
            of="double",
        ),
        Example(
            measured=0.75,
            params={"predicate": "status IN ('active', 'it''s') OR NOT (length(trim(name)) > 2)"},
            rows=(
                {"status": "active", "name": "Adams"},
                {"status": "it's", "name": "Adams"},
                {"status": "gone", "name": " A "},
                {"status": "gone", "name": "Adams"},
            ),
        ),
    )

    predicate: str

    def problems(self, table: Table, column: Column | None) -> Sequence[Problem]:
        """Refuse what is outside the grammar, unknown columns, and comparisons across types."""
        try:
            parse_predicate(self.predicate, {one.name: one.type for one in table.schema})
        except PredicateError as error:
            return (Problem(str(error), help=error.help, key="predicate"),)
        return ()

    def instance(self, column: str | None) -> str:
        """Name the result by the condition."""
        return self.predicate

    def reads(self, column: str | None) -> tuple[str, ...]:
        """Look at the columns of the condition."""
        return parse_predicate(self.predicate).columns

    def analyzer(self, column: str | None, where: str | None = None) -> Any:
        """Give Deequ the condition as written anew from its parsed form."""
        sql = parse_predicate(self.predicate).sql
        # Deequ measures nothing where the condition is unknown on every row.
        return deequ_analyzers().Compliance(self.predicate, f"coalesce({sql}, false)", where)
