"""Transform `mask_pii`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from glue_job.parameters import Choice, Integer, Params, Problem
from glue_job.transforms.base import (
    TRANSFORMS,
    Example,
    TransformStep,
    not_on_keys,
    only_on_strings,
)

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

    from glue_job.contract.model import Column, Table

_EVERY_CHARACTER = r"(?s)."


@TRANSFORMS.register
class MaskPii(TransformStep):
    """Every character but `visible_chars` at one end becomes `*`.

    A value of `visible_chars` characters or fewer is masked whole, so that nothing short shows
    through. Characters are Unicode code points.
    """

    type = "mask_pii"
    params = Params(
        visible_chars=Integer("characters that stay readable", default=4, minimum=0),
        keep=Choice(
            "the end whose characters stay readable", default="first", choices=("first", "last")
        ),
    )
    examples = (
        Example(
            {"visible_chars": 4},
            changes=[
                ("555-0101", "555-****"),
                ("5550", "****"),
                ("55\n01x", "55\n0**"),
                ("🚚🚛🚜🚒🚑🚐", "🚚🚛🚜🚒**"),
                ("", ""),
                (None, None),
            ],
        ),
        Example({"visible_chars": 2, "keep": "last"}, changes=[("Lovelace", "******ce")]),
        Example({"visible_chars": 0}, changes=[("Ada", "***")]),
        Example(changes=[("555-0101", "555-****")]),
    )

    visible_chars: int
    keep: Literal["first", "last"]

    def problems(self, table: Table, column: Column | None) -> Iterable[Problem]:
        """Refuse key columns, and columns that are not strings."""
        yield from not_on_keys(self, table, column)
        yield from only_on_strings(self, column)

    def apply(self, value: SparkColumn, column: Column) -> SparkColumn:
        """Replace the characters one by one, so that the length stays."""
        from pyspark.sql import functions as F

        def stars(text: SparkColumn) -> SparkColumn:
            return F.regexp_replace(text, _EVERY_CHARACTER, "*")

        hidden = F.length(value) - self.visible_chars
        if self.keep == "first":
            readable = value.substr(F.lit(1), F.lit(self.visible_chars))
            masked = F.concat(readable, stars(value.substr(F.lit(self.visible_chars + 1), hidden)))
        else:
            readable = value.substr(hidden + 1, F.lit(self.visible_chars))
            masked = F.concat(stars(value.substr(F.lit(1), hidden)), readable)
        return F.when(hidden <= 0, stars(value)).otherwise(masked)
