"""What a JSON value becomes in a typed column: exact, or refused."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from glue_job.contract.types import DataType

INTEGER_BITS = {"integer": 31, "long": 63}
BOOLEANS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
MAX_DIGITS = 400
"""No number of more digits before its point fits any column type; guards against `1e999999999`."""

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)


class Number(str):
    """A JSON number by its exact text."""

    __slots__ = ()


class BadJson(ValueError):
    """The text is not exactly one JSON object."""


class BadValue(ValueError):
    """The value does not fit its column exactly."""


def _refuse_constant(name: str) -> Any:
    raise BadJson(f"{name} is not JSON")


def read_object(text: str) -> dict[str, Any]:
    """A message value is exactly one JSON object; two in one, or trailing text, is bad JSON."""
    try:
        value = json.loads(
            text, parse_int=Number, parse_float=Number, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise BadJson(str(error)) from error
    if not isinstance(value, dict):
        raise BadJson("not an object")
    return value


def read_value(value: Any, data_type: DataType) -> Any:
    """Exact or refused, never silently changed; NULL fits every type, an object or array none."""
    if value is None:
        return None
    if isinstance(value, dict | list):
        raise BadValue("an object or array")
    match data_type.name:
        case "string":
            return read_string(value)
        case "integer" | "long":
            return read_integer(value, INTEGER_BITS[data_type.name])
        case "decimal":
            assert data_type.precision is not None
            assert data_type.scale is not None
            return read_decimal(value, data_type.precision, data_type.scale)
        case "double":
            return read_double(value)
        case "boolean":
            return read_boolean(value)
        case "timestamp":
            return read_timestamp(value)
        case "date":
            return read_date(value)
    raise AssertionError(data_type)


def read_string(value: Any) -> str:
    """A string column takes a JSON number or boolean by its exact text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _exact_number(value: Any) -> Decimal:
    """A quoted number counts as its number for every numeric type; NaN and infinity are none."""
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise BadValue("not a number")
    number = Decimal(value)
    if number and number.adjusted() > MAX_DIGITS:
        raise BadValue("out of range")
    return number


def read_integer(value: Any, bits: int) -> int:
    """Out of range, `"7x"` and `1.5` are refused; `1.0`, `"42"` and `1e3` are integers."""
    number = _exact_number(value)
    if not number:
        return 0
    if number.adjusted() > 20:
        raise BadValue("out of range")
    if number != number.to_integral_value():
        raise BadValue("not an integer")
    integer = int(number)
    if not -(2**bits) <= integer < 2**bits:
        raise BadValue("out of range")
    return integer


def read_decimal(value: Any, precision: int, scale: int) -> Decimal:
    """More fraction digits than the scale are refused; trailing zeros beyond it are fine."""
    number = _exact_number(value)
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    significant = "".join(map(str, digits)).lstrip("0")
    if not significant:
        return Decimal(0).scaleb(-scale)
    zeros = len(significant) - len(significant.rstrip("0"))
    significant, exponent = significant.rstrip("0"), exponent + zeros
    if -exponent > scale:
        raise BadValue("too many fraction digits")
    if len(significant) + exponent > precision - scale:
        raise BadValue("too many digits before the point")
    unscaled = significant + "0" * (exponent + scale)
    return Decimal((sign, tuple(map(int, unscaled)), -scale))


def read_double(value: Any) -> float:
    """A double takes any number; one too large for it would be infinity, which is refused."""
    number = float(_exact_number(value))
    if number in (float("inf"), float("-inf")):
        raise BadValue("out of range")
    return number


def read_boolean(value: Any) -> bool:
    """true/false, "true"/"false", "t"/"f" in any case, 1/0."""
    if isinstance(value, bool):
        return value
    if value.lower() not in BOOLEANS:
        raise BadValue("not a boolean")
    return BOOLEANS[value.lower()]


def read_timestamp(value: Any) -> datetime:
    """ISO 8601 with `Z`, an offset, or none (UTC), to the microsecond; finer digits are cut."""
    parts = (
        _TIMESTAMP.fullmatch(value)
        if isinstance(value, str) and not isinstance(value, Number)
        else None
    )
    if parts is None:
        raise BadValue("not a timestamp")
    year, month, day, hour, minute, second, fraction, zone = parts.groups()
    microsecond = int((fraction or "0")[:6].ljust(6, "0"))
    try:
        local = datetime(
            int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            int(second or 0),
            microsecond,
            tzinfo=UTC,
        )
        return local - _zone_offset(zone)
    except (ValueError, OverflowError) as error:
        raise BadValue(str(error)) from error


def _zone_offset(zone: str | None) -> timedelta:
    if zone is None or zone == "Z":
        return timedelta(0)
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or 0)
    if hours > 18 or minutes > 59:
        raise ValueError("no such offset")
    return (-1 if zone[0] == "-" else 1) * timedelta(hours=hours, minutes=minutes)


def read_date(value: Any) -> date:
    """An impossible date is refused."""
    parts = (
        _DATE.fullmatch(value) if isinstance(value, str) and not isinstance(value, Number) else None
    )
    if parts is None:
        raise BadValue("not a date")
    try:
        return date(*map(int, parts.groups()))
    except ValueError as error:
        raise BadValue(str(error)) from error
