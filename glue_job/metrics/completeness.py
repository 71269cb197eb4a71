"""Metric `completeness`."""

from __future__ import annotations

from typing import Any

from glue_job.metrics.base import METRICS, Example, Metric, deequ_analyzers


@METRICS.register
class Completeness(Metric):
    """The share of rows whose column is not NULL."""

    type = "completeness"
    deequ_name = "Completeness"
    examples = (
        Example(
            measured=0.75,
            column="status",
            rows=({"status": "active"}, {"status": ""}, {"status": None}, {"status": "idle"}),
        ),
    )

    def analyzer(self, column: str | None, where: str | None = None) -> Any:
        """Count the values that are present."""
        return deequ_analyzers().Completeness(column, where)
