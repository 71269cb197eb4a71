"""Transforms: one file each; an import line here makes a transform known."""

from glue_job.transforms import cast as cast
from glue_job.transforms import default_value as default_value
from glue_job.transforms import hash as hash
from glue_job.transforms import lower as lower
from glue_job.transforms import mask_pii as mask_pii
from glue_job.transforms import round as round
from glue_job.transforms import trim as trim
from glue_job.transforms import upper as upper
from glue_job.transforms.base import TRANSFORMS, Example, TransformStep

__all__ = ["TRANSFORMS", "Example", "TransformStep"]
