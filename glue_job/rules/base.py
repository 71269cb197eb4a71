"""What every rule is: a verdict on one value, never NULL."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from glue_job.parameters import Configurable, Problem
from glue_job.registry import Registry

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

    from glue_job.contract.model import Column

Verdict = Literal["pass", "fail"]


@dataclass(frozen=True)
class Example:
    """Values of a column of type `of` that a rule with `params` accepts and rejects."""

    params: Mapping[str, Any] = field(default_factory=dict)
    accepts: Sequence[object] = ()
    rejects: Sequence[object] = ()
    of: str = "string"


class Rule(Configurable):
    """A check of one value of a row."""

    nulls: ClassVar[Verdict] = "pass"
    """The verdict on NULL unless tables.yaml gives another."""
    examples: ClassVar[Sequence[Example]]

    @abstractmethod
    def violates(self, value: SparkColumn, column: Column) -> SparkColumn:
        """Give true where `value`, of the type of `column` and not NULL, breaks the rule."""

    def violation(
        self, value: SparkColumn, column: Column, nulls: Verdict | None = None
    ) -> SparkColumn:
        """Give true where the rule is broken, false elsewhere: never NULL.

        A value on which `violates` has no verdict counts as broken.
        """
        from pyspark.sql import functions as F

        broken = F.coalesce(self.violates(value, column), F.lit(True))
        if (nulls or self.nulls) == "fail":
            return value.isNull() | broken
        return value.isNotNull() & broken


RULES: Registry[Rule] = Registry("rule")


def only_on_strings(rule: Rule, column: Column | None) -> Iterable[Problem]:
    """Refuse a rule on a column that is not a string."""
    if column is not None and column.type.name != "string":
        yield Problem(f"`{rule.type}` needs a string; `{column.name}` is {column.type}")
