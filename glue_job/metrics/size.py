"""Metric `size`."""

from __future__ import annotations

from typing import Any

from glue_job.metrics.base import METRICS, Example, Metric, deequ_analyzers


@METRICS.register
class Size(Metric):
    """How many rows a batch has."""

    type = "size"
    needs_column = False
    is_share = False
    examples = (Example(measured=2.0, rows=({"status": "active"}, {"status": None})),)

    def analyzer(self, column: str | None, where: str | None = None) -> Any:
        """Count the rows."""
        return deequ_analyzers().Size(where)
