"""Metric `uniqueness`."""

from __future__ import annotations

from typing import Any

from glue_job.metrics.base import METRICS, Example, Metric, deequ_analyzers


@METRICS.register
class Uniqueness(Metric):
    """The share of the values that occur exactly once in the batch, NULL left aside.

    Updates repeat keys, so a batch of changes may lie well below 1 although the table is sound.
    """

    type = "uniqueness"
    deequ_name = "Uniqueness"
    examples = (
        Example(
            measured=1 / 3,
            column="vin",
            rows=({"vin": "A"}, {"vin": "B"}, {"vin": "B"}, {"vin": None}),
        ),
    )

    def analyzer(self, column: str | None, where: str | None = None) -> Any:
        """Group by the value; Deequ needs a Spark job of its own for each such metric."""
        return deequ_analyzers().Uniqueness([column], where)
