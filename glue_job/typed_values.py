"""Values that tables.yaml gives for a column, read as values of the column's type."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

    from glue_job.contract.types import DataType

TypedValue = str | bool | int | float | Decimal | date | datetime

_INTEGER_BITS = {"integer": 32, "long": 64}
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIMESTAMP = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?", re.ASCII
)
_BOOLEANS = {"true": True, "t": True, "false": False, "f": False}
_MOST_DIGITS = 350
"""Enough for every finite double."""


def typed_value(value: object, kind: DataType) -> TypedValue:
    """Read a YAML value as a value of `kind`, exactly; ValueError says why it is none."""
    match kind.name:
        case "string":
            return _string(value)
        case "boolean":
            return _boolean(value)
        case "date":
            return _date(value)
        case "timestamp":
            return _timestamp(value)
        case "double":
            return _double(value)
        case _:
            return _exact_number(value, kind)


def comparable_value(value: object, kind: DataType) -> TypedValue:
    """Read a YAML value that values of `kind` are compared with: 0.5 is one for an integer."""
    if kind.name in {"integer", "long", "decimal"}:
        return number(value)
    return typed_value(value, kind)


def number(value: object) -> Decimal:
    """Read a number or a text that spells one, without losing a digit."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ValueError(f"{shown(value)} is not a number")
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError(f"{shown(value)} is not a number")
    # repr of a float is what the YAML file says; its binary expansion is not.
    text = repr(value) if isinstance(value, float) else str(value)
    read = Decimal(text)
    if not read.is_finite():
        raise ValueError(f"{shown(value)} is not a number")
    if abs(read.adjusted()) > _MOST_DIGITS or len(read.as_tuple().digits) > _MOST_DIGITS:
        raise ValueError(f"a number of more than {_MOST_DIGITS} digits")
    return read


def nearest_inside(
    bound: Decimal, kind: DataType, side: Literal["min", "max"]
) -> Decimal | Literal["below all", "above all"]:
    """Move a bound to the nearest value of an exact type that lies on its accepted side.

    Comparing within one type keeps every digit: Spark widens two decimals to at most 38 digits
    and answers NULL where a value no longer fits.
    """
    lowest, highest = type_limits(kind)
    with localcontext() as context:
        context.prec = 2 * _MOST_DIGITS
        rounding = ROUND_CEILING if side == "min" else ROUND_FLOOR
        moved = bound.quantize(Decimal(1).scaleb(-(kind.scale or 0)), rounding=rounding)
    if moved < lowest:
        return "below all"
    if moved > highest:
        return "above all"
    return moved


def type_limits(kind: DataType) -> tuple[Decimal, Decimal]:
    """Give the smallest and the largest value of an exact numeric type."""
    bits = _INTEGER_BITS.get(kind.name)
    if bits is not None:
        return Decimal(-(2 ** (bits - 1))), Decimal(2 ** (bits - 1) - 1)
    digits = (9,) * (kind.precision or 0)
    highest = Decimal((0, digits, -(kind.scale or 0)))
    return -highest, highest


def literal(value: TypedValue, kind: DataType) -> SparkColumn:
    """Give a Spark literal of the type of the column, whatever the machine's time zone."""
    from pyspark.sql import functions as F

    match value:
        case datetime():
            return F.lit(value.astimezone(UTC).isoformat()).cast("timestamp")
        case date():
            return F.lit(value.isoformat()).cast("date")
        case Decimal():
            return F.lit(format(value, "f")).cast(kind.spark_ddl)
        case _:
            return F.lit(value).cast(kind.spark_ddl)


def shown(value: object) -> str:
    """Spell a value for a message as YAML would."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"'
        case _:
            return str(value)


def _string(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f'{shown(value)} is not a text; write "{shown(value)}"')


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _BOOLEANS:
        return _BOOLEANS[value.lower()]
    raise ValueError(f"{shown(value)} is not a boolean; write true or false")


def _date(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{shown(value)} is not a day of the calendar") from None
    raise ValueError(f'{shown(value)} is not a date; write "2026-01-31"')


def _timestamp(value: object) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, str) and (_TIMESTAMP.fullmatch(value) or _DATE.fullmatch(value)):
        try:
            read = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{shown(value)} is not a moment of the calendar") from None
        return read if read.tzinfo else read.replace(tzinfo=UTC)
    raise ValueError(f'{shown(value)} is not a timestamp; write "2026-01-31T12:00:00Z"')


def _double(value: object) -> float:
    read = float(number(value))
    if read in (float("inf"), float("-inf")):
        raise ValueError(f"{shown(value)} is too large for a double")
    return read


def _exact_number(value: object, kind: DataType) -> int | Decimal:
    read = number(value)
    lowest, highest = type_limits(kind)
    if not lowest <= read <= highest:
        raise ValueError(f"{shown(value)} is outside {kind}: {lowest} to {highest}")
    scale = kind.scale or 0
    with localcontext() as context:
        context.prec = 2 * _MOST_DIGITS
        fitted = read.quantize(Decimal(1).scaleb(-scale))
    if fitted != read:
        most = f"at most {scale} digits after the point" if scale else "whole numbers only"
        raise ValueError(f"{shown(value)} is not exact in {kind}: {most}")
    return fitted if kind.name == "decimal" else int(fitted)
