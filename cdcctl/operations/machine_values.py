"""Spells values for machines: in JSON, in CSV."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any


def machine_time(value: datetime) -> str:
    """Spell a time as ISO 8601 in UTC; a time without zone is UTC."""
    aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def cell(value: Any) -> str:
    """Spell a value for CSV: NULL is empty, what is nested is JSON."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case dict() | list() | tuple():
            return json.dumps(value, default=plain, ensure_ascii=False)
        case datetime() | date() | Decimal():
            return str(plain(value))
        case _:
            return str(value)


def plain(value: Any) -> Any:
    """Give the JSON form of a value that JSON has no type for."""
    match value:
        case datetime():
            return machine_time(value)
        case date():
            return value.isoformat()
        case Decimal():
            # A JSON number would pass through a double in most readers and lose digits.
            return format(value, "f")
        case bytes():
            return value.hex()
        case _:
            raise TypeError(f"{type(value).__name__} has no JSON form")
