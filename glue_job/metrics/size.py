"""Metric `size`."""

from __future__ import annotations

from typing import Any

from glue_job.metrics.base import METRICS, Example, Metric, deequ_analyzers


@METRICS.register
class Size(Metric):
    """How many rows a batch has."""

    type = "size"
    deequ_name = "Size"
    needs_column = False
    is_share = False
    examples = (Example(measured=2.0, rows=({"status": "active"}, {"status": None})),)

    def instance(self, column: str | None) -> str:
        """Name the result as Deequ does, whatever column is given."""
        return "*"

    def reads(self, column: str | None) -> tuple[str, ...]:
        """Look at no column."""
        return ()

    def analyzer(self, column: str | None, where: str | None = None) -> Any:
        """Count the rows."""
        return deequ_analyzers().Size(where)
