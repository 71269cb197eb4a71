"""Transforms: one file each; an import line here makes a transform known."""

from glue_job.transforms import trim as trim
from glue_job.transforms.base import TRANSFORMS, Example, TransformStep

__all__ = ["TRANSFORMS", "Example", "TransformStep"]
