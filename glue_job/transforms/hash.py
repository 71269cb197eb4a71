"""Transform `hash`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from glue_job.parameters import Problem
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


@TRANSFORMS.register
class Hash(TransformStep):
    """The text becomes its SHA-256, as 64 hexadecimal digits of its UTF-8 bytes.

    Equal texts stay equal, so tables can still be joined. There is no salt: who knows the possible
    texts (telephone numbers, names) can find which one it was. To hide them, use `mask_pii`.
    """

    type = "hash"
    examples = (
        Example(
            changes=[
                ("Ada", "99a563ab2f6e21e96998f9fddd2a2bab82b70ac019579502b8d7fc0032ff62bb"),
                ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
                (None, None),
            ]
        ),
    )

    def problems(self, table: Table, column: Column | None) -> Iterable[Problem]:
        """Refuse key columns, and columns that are not strings."""
        yield from not_on_keys(self, table, column)
        yield from only_on_strings(self, column)

    def apply(self, value: SparkColumn, column: Column) -> SparkColumn:
        """Digest the bytes."""
        from pyspark.sql import functions as F

        return F.sha2(value, 256)
