"""What every metric is: one number a batch, measured by Deequ."""

from __future__ import annotations

import importlib
import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from glue_job.parameters import Configurable, Problem, is_number
from glue_job.registry import Registry

if TYPE_CHECKING:
    from types import ModuleType

    from glue_job.contract.model import Column, Table


@dataclass(frozen=True)
class Example:
    """What the metric is on `rows` (of type `of`, all columns)."""

    measured: float
    rows: Sequence[Mapping[str, object]]
    column: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    of: str = "string"


class Metric(Configurable):
    """A number that Deequ measures on every batch; a threshold is its minimum."""

    deequ_name: ClassVar[str]
    """How Deequ's result names the analyzer."""
    needs_column: ClassVar[bool] = True
    is_share: ClassVar[bool] = True
    """A share lies between 0 and 1, and so does its threshold."""
    examples: ClassVar[Sequence[Example]]

    @abstractmethod
    def analyzer(self, column: str | None, where: str | None = None) -> Any:
        """Give the PyDeequ analyzer; `where` restricts it to some rows."""

    def instance(self, column: str | None) -> str:
        """Give the `instance` under which Deequ reports the result; `*` is the whole table."""
        return column or "*"

    def result_key(self, column: str | None, where: str | None = None) -> tuple[str, str]:
        """Give `name` and `instance` of the result: Deequ writes the restriction into the name."""
        name = self.deequ_name if where is None else f"{self.deequ_name} (where: {where})"
        return name, self.instance(column)

    def reads(self, column: str | None) -> tuple[str, ...]:
        """Name the columns that the metric looks at."""
        return () if column is None else (column,)

    def threshold_problems(self, threshold: float | None) -> Sequence[Problem]:
        """Give what is wrong with a threshold."""
        if threshold is None:
            return ()
        if not is_number(threshold) or threshold < 0 or (self.is_share and threshold > 1):
            accepted = "between 0 and 1" if self.is_share else "a number of at least 0"
            return (Problem(f"threshold of `{self.type}` must be {accepted}", key="threshold"),)
        return ()

    def problems(self, table: Table, column: Column | None) -> Sequence[Problem]:
        """Ask for a column where the metric needs one."""
        if self.needs_column and column is None:
            return (Problem(f"`{self.type}` needs a column", key="column"),)
        return ()


METRICS: Registry[Metric] = Registry("metric")


def deequ_analyzers() -> ModuleType:
    """Import PyDeequ's analyzers; it reads SPARK_VERSION while it is imported."""
    os.environ.setdefault("SPARK_VERSION", "3.5")
    return importlib.import_module("pydeequ.analyzers")
