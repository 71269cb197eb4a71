"""Metrics: one file each; an import line here makes a metric known."""

from glue_job.metrics import completeness as completeness
from glue_job.metrics import compliance as compliance
from glue_job.metrics import size as size
from glue_job.metrics import uniqueness as uniqueness
from glue_job.metrics.base import METRICS, Example, Metric

__all__ = ["METRICS", "Example", "Metric"]
