"""How DMS spells the values of PostgreSQL in JSON, from the text that PostgreSQL gives."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from enum import StrEnum

Spell = Callable[[str], str]
"""Turns a value's PostgreSQL text into JSON text."""


class BooleanSpelling(StrEnum):
    """How booleans are spelled: DMS documents words, its messages from the log show letters."""

    MIXED = "mixed"
    WORDS = "words"
    LETTERS = "letters"


@dataclass(frozen=True)
class ColumnType:
    """A column's type: the id and modifier that PostgreSQL gives, a domain already resolved."""

    type_id: int
    modifier: int = -1

    @property
    def numeric_precision(self) -> tuple[int, int] | None:
        """Give precision and scale of a numeric that declares them."""
        if self.type_id != NUMERIC or self.modifier < 4:
            return None
        packed = self.modifier - 4
        scale = ((packed & 0x7FF) ^ 1024) - 1024
        return (packed >> 16) & 0xFFFF, scale

    @property
    def dms_name(self) -> str:
        """Name the type as DMS does in `control.table-def`."""
        if self.type_id == NUMERIC:
            precision = self.numeric_precision
            return "STRING" if precision is not None and precision[0] > 38 else "NUMERIC"
        return DMS_NAMES.get(self.type_id, "STRING")


BOOL, BYTEA, INT8, INT2, INT4, OID = 16, 17, 20, 21, 23, 26
FLOAT4, FLOAT8, MONEY, NUMERIC = 700, 701, 790, 1700
DATE, TIME, TIMESTAMP, TIMESTAMPTZ = 1082, 1083, 1114, 1184

DMS_NAMES = {
    BOOL: "STRING",
    BYTEA: "BLOB",
    INT2: "INT16",
    INT4: "INT32",
    INT8: "INT64",
    OID: "UINT32",
    FLOAT4: "REAL4",
    FLOAT8: "REAL8",
    MONEY: "NUMERIC",
    DATE: "DATE",
    TIME: "TIME",
    TIMESTAMP: "DATETIME",
    TIMESTAMPTZ: "DATETIME",
}

MAX_DMS_PRECISION = 38
UNBOUNDED_SCALE = Decimal("0.000001")
"""DMS reads a numeric without precision as NUMERIC(28,6)."""


def spelling(column: ColumnType, booleans: BooleanSpelling) -> Spell:
    """Give the function that spells the values of a column."""
    match column.type_id:
        case 20 | 21 | 23 | 26:
            return _verbatim
        case 700 | 701:
            return _number
        case 1700:
            precision = column.numeric_precision
            if precision is None:
                return _unbounded_numeric
            return quoted if precision[0] > MAX_DMS_PRECISION else _number
        case 790:
            return _money
        case 16:
            return _boolean(booleans)
        case 1114 | 1184:
            return _timestamp
        case 17:
            return _bytea
        case _:
            return quoted


def quoted(text: str) -> str:
    """Spell a string."""
    return json.dumps(text, ensure_ascii=False)


def _verbatim(text: str) -> str:
    return text


_JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")


def _number(text: str) -> str:
    """Keep every digit as PostgreSQL wrote it; NaN and infinities have no number in JSON."""
    return text if _JSON_NUMBER.fullmatch(text) else quoted(text)


def _unbounded_numeric(text: str) -> str:
    if _JSON_NUMBER.fullmatch(text) is None:
        return quoted(text)
    with localcontext() as context:
        context.prec = 1000
        value = Decimal(text)
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and exponent < -6:
            value = value.quantize(UNBOUNDED_SCALE, ROUND_HALF_UP)
        return format(value, "f")


def _money(text: str) -> str:
    negative = text.startswith(("-", "("))
    digits = re.sub(r"[^0-9.]", "", text)
    return f"{'-' if negative else ''}{Decimal(digits):.4f}"


def _boolean(booleans: BooleanSpelling) -> Spell:
    words = {"t": '"true"', "f": '"false"', "true": '"true"', "false": '"false"'}
    letters = {"t": '"t"', "f": '"f"', "true": '"t"', "false": '"f"'}
    match booleans:
        case BooleanSpelling.WORDS:
            return words.__getitem__
        case BooleanSpelling.LETTERS:
            return letters.__getitem__
        case BooleanSpelling.MIXED:
            return quoted


_TIMESTAMP = re.compile(r"(\d{4,6}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?:\+00)?( BC)?")
CLIPPED = {"infinity": '"9999-12-31T23:59:59.999999Z"', "-infinity": '"0001-01-01T00:00:00Z"'}


def _timestamp(text: str) -> str:
    """Spell a time in UTC; a zone-less one gets the Z too, a fraction of zero is dropped."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None or match[4]:
        return CLIPPED.get(text, CLIPPED["-infinity"])
    fraction = f".{match[3].ljust(6, '0')}" if match[3] else ""
    return f'"{match[1]}T{match[2]}{fraction}Z"'


def _bytea(text: str) -> str:
    return f'"0x{text.removeprefix(chr(92) + "x").upper()}"'
