"""Column types of tables.yaml: what the lake holds."""

from __future__ import annotations

import re
from dataclasses import dataclass

SIMPLE_TYPES = ("integer", "long", "double", "string", "boolean", "timestamp", "date")
MAX_PRECISION = 38

_SPARK_NAMES = {"integer": "int", "long": "bigint"}
_DECIMAL = re.compile(r"decimal\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)")


@dataclass(frozen=True)
class DataType:
    """One type of the closed list; `precision` and `scale` belong to decimal only."""

    name: str
    precision: int | None = None
    scale: int | None = None

    @classmethod
    def parse(cls, text: str) -> DataType:
        """Read `integer` or `decimal(p,s)`; ValueError says what is wrong."""
        if text in SIMPLE_TYPES:
            return cls(text)
        match = _DECIMAL.fullmatch(text)
        if match is None:
            known = ", ".join((*SIMPLE_TYPES, "decimal(p,s)"))
            raise ValueError(f"`{text}` is not a column type; known types: {known}")
        precision, scale = int(match[1]), int(match[2])
        if not 1 <= precision <= MAX_PRECISION:
            raise ValueError(f"decimal precision {precision} is outside 1..{MAX_PRECISION}")
        if scale > precision:
            raise ValueError(f"decimal scale {scale} is larger than its precision {precision}")
        return cls("decimal", precision, scale)

    def __str__(self) -> str:
        """Spell the type as tables.yaml does."""
        if self.name == "decimal":
            return f"decimal({self.precision},{self.scale})"
        return self.name

    @property
    def spark_ddl(self) -> str:
        """Spell the type as Spark SQL and Delta do."""
        return _SPARK_NAMES.get(self.name, str(self))

    @property
    def is_numeric(self) -> bool:
        """Tell whether values are numbers."""
        return self.name in {"integer", "long", "double", "decimal"}

    @property
    def is_ordered(self) -> bool:
        """Tell whether `range` has a meaning: numbers, dates and timestamps."""
        return self.is_numeric or self.name in {"date", "timestamp"}
