"""PostgreSQL column types a table may have, and the lake types that hold their values."""

from __future__ import annotations

import re
from dataclasses import dataclass

from glue_job.contract.types import DataType

_ALIASES = {
    "int2": "smallint",
    "smallserial": "smallint",
    "int": "integer",
    "int4": "integer",
    "serial": "integer",
    "int8": "bigint",
    "bigserial": "bigint",
    "decimal": "numeric",
    "float4": "real",
    "float8": "double precision",
    "bool": "boolean",
    "character varying": "varchar",
    "character": "char",
    "bit varying": "varbit",
    "timestamp without time zone": "timestamp",
    "timestamptz": "timestamp with time zone",
    "time without time zone": "time",
    "timetz": "time with time zone",
}

_TEXT = frozenset(("string",))
_WHOLE = frozenset(("integer", "long", "decimal", "double", "string"))
_HOLDS = {
    "smallint": _WHOLE,
    "integer": _WHOLE,
    "bigint": frozenset(("long", "decimal", "string")),
    "numeric": frozenset(("decimal", "string")),
    "money": frozenset(("decimal", "string")),
    "real": frozenset(("double", "string")),
    "double precision": frozenset(("double", "string")),
    "boolean": frozenset(("boolean", "string")),
    "timestamp": frozenset(("timestamp", "string")),
    "timestamp with time zone": frozenset(("timestamp", "string")),
    "date": frozenset(("date", "timestamp", "string")),
    "text": _TEXT,
    "varchar": _TEXT,
    "char": _TEXT,
    "bit": _TEXT,
    "varbit": _TEXT,
    "json": _TEXT,
    "jsonb": _TEXT,
    "uuid": _TEXT,
    "bytea": _TEXT,
    "cidr": _TEXT,
    "inet": _TEXT,
    "macaddr": _TEXT,
    "time": _TEXT,
    "time with time zone": _TEXT,
    "interval": _TEXT,
}
"""Lake types that take every value of a PostgreSQL type."""

_NOT_STRING = frozenset(("integer", "long", "double", "decimal", "boolean", "timestamp", "date"))
_MAY_HOLD = {
    "bigint": frozenset(("integer", "double")),
    "numeric": frozenset(("integer", "long", "double")),
    "money": frozenset(("double",)),
    "real": frozenset(("decimal",)),
    "double precision": frozenset(("decimal",)),
    "timestamp": frozenset(("date",)),
    "timestamp with time zone": frozenset(("date",)),
    "text": _NOT_STRING,
    "varchar": _NOT_STRING,
    "char": _NOT_STRING,
}
"""Lake types that take some values only; the others go to quarantine or lose digits."""

_SPELLING = re.compile(
    r"(?P<name>[a-z]+[0-9]?(?: varying| precision)?)"
    r"(?:\((?P<arguments>\d{1,9}(?:,\d{1,9})?)\))?"
    r"(?P<zone> with(?:out)? time zone)?(?P<array>\[\])?"
)
_LIMITS = {
    "varchar": 10_485_760,
    "char": 10_485_760,
    "bit": 10_485_760,
    "varbit": 10_485_760,
    "numeric": 1000,
}
_FRACTIONS = ("timestamp", "time", "timestamp with time zone", "time with time zone")
_MUST_HAVE_LENGTH = {
    "numeric": "DMS rounds a numeric without precision to 6 decimals; write numeric(p,s)",
    "varchar": "DMS cuts a varchar without length at 8,000 bytes; write varchar(n) or text",
    "bit": "write bit(n)",
    "varbit": "write bit varying(n)",
}

SOURCE_TYPE_NAMES = frozenset((*_HOLDS, *_ALIASES)) - {"varbit"}


@dataclass(frozen=True)
class SourceType:
    """A PostgreSQL type by its usual name, with its length or precision and scale."""

    name: str
    arguments: tuple[int, ...] = ()
    is_array: bool = False

    @classmethod
    def parse(cls, text: str) -> SourceType:
        """Read `varchar(20)` or `timestamp(3) with time zone`; ValueError says what is wrong."""
        spelled = re.sub(r"\s*([(),\[\]])\s*", r"\1", " ".join(text.lower().split()))
        match = _SPELLING.fullmatch(re.sub(r"\)(?=\w)", ") ", spelled))
        name = "" if match is None else match["name"] + (match["zone"] or "")
        name = _ALIASES.get(name, name)
        if match is None or name not in _HOLDS:
            raise ValueError(f"`{text}` is not a PostgreSQL type that is known here")
        arguments = tuple(int(each) for each in (match["arguments"] or "").split(",") if each)
        fault = _argument_fault(name, arguments)
        if fault:
            raise ValueError(f"`{text}`: {fault}")
        return cls(name, arguments, match["array"] is not None)

    def holds_in(self, lake: DataType) -> bool:
        """Tell whether the lake type takes every value."""
        if self.is_array:
            return lake.name == "string"
        if self.name == "numeric" and lake.name == "decimal":
            precision, scale = self.arguments[0], (*self.arguments, 0)[1]
            whole_digits = (lake.precision or 0) - (lake.scale or 0)
            return scale <= (lake.scale or 0) and precision - scale <= whole_digits
        return lake.name in _HOLDS[self.name]

    def may_hold_in(self, lake: DataType) -> bool:
        """Tell whether the lake type takes at least some values."""
        if self.is_array:
            return lake.name == "string"
        return lake.name in _HOLDS[self.name] | _MAY_HOLD.get(self.name, frozenset())


def _argument_fault(name: str, arguments: tuple[int, ...]) -> str:
    """Say what is wrong with the numbers in parentheses."""
    if not arguments:
        return _MUST_HAVE_LENGTH.get(name, "")
    limit = _LIMITS.get(name, 6 if name in _FRACTIONS else 0)
    first, second = (*arguments, 0)[:2]
    if not limit:
        return "it takes no length"
    if len(arguments) == 2 and (name != "numeric" or second > first):
        return "scale is at most precision" if name == "numeric" else "it takes one length only"
    lowest = 0 if name in _FRACTIONS else 1
    if not lowest <= first <= limit:
        return f"{first:,} is outside {lowest}..{limit:,}"
    return ""
