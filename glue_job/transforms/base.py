"""What every transform is: a new value for one column, or a row that fails."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from glue_job.parameters import Configurable, Problem
from glue_job.registry import Registry

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

    from glue_job.contract.model import Column, Table


@dataclass(frozen=True)
class Example:
    """What a transform with `params` makes of values of type `of`; None is NULL."""

    params: Mapping[str, Any] = field(default_factory=dict)
    changes: Sequence[tuple[object, object]] = ()
    fails: Sequence[object] = ()
    of: str = "string"


class TransformStep(Configurable):
    """A change of one column's value, after the rules."""

    examples: ClassVar[Sequence[Example]]

    @abstractmethod
    def apply(self, value: SparkColumn, column: Column) -> SparkColumn:
        """Give the new value; `column` says what the value is before this step."""

    def columns_after(self, column: Column) -> Column:
        """Describe the column after this step."""
        return column

    def failed(self, before: SparkColumn, after: SparkColumn) -> SparkColumn:
        """Give true where the step could not be done: a value went in and NULL came out."""
        return before.isNotNull() & after.isNull()


TRANSFORMS: Registry[TransformStep] = Registry("transform")


def only_on_strings(step: TransformStep, column: Column | None) -> Iterable[Problem]:
    """Refuse a step on a column that is not a string where it runs."""
    if column is not None and column.type.name != "string":
        yield Problem(f"`{step.type}` needs a string; `{column.name}` is {column.type}")


def not_on_keys(step: TransformStep, table: Table, column: Column | None) -> Iterable[Problem]:
    """Refuse a step that would make different keys equal, or find no row of its key again."""
    if column is not None and column.name in table.primary_key:
        yield Problem(
            f"`{step.type}` on a key column: `{column.name}` is part of the primary key",
            help="rows of different keys could become one",
        )
