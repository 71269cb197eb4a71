"""Spells names and values in the SQL of the embedded engine."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from glue_job.contract.types import MAX_PRECISION

Value = str | int | float | bool | Decimal | datetime | date


def identifier(name: str) -> str:
    """Quote a column's name."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Value) -> str:
    """Spell a value so that it is compared by its type."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case Decimal():
            whole, _, fraction = f"{abs(value):f}".partition(".")
            precision = len(whole) + len(fraction)
            if precision > MAX_PRECISION:
                raise ValueError(f"{value} has more than {MAX_PRECISION} digits")
            return f"arrow_cast('{value:f}', 'Decimal128({precision}, {len(fraction)})')"
        case datetime():
            aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
            text = aware.astimezone(UTC).isoformat()
            return f"arrow_cast('{text}', 'Timestamp(Microsecond, Some(\"UTC\"))')"
        case date():
            return f"arrow_cast('{value.isoformat()}', 'Date32')"
        case str():
            return "'" + value.replace("'", "''") + "'"
