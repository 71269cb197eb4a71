"""From the text of a JSON scalar to a column of the lake: exact, or NULL if unreadable."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column
from pyspark.sql import functions as F

from glue_job.contract.types import DataType

INTEGER_RANGES = {"integer": (-(2**31), 2**31 - 1), "long": (-(2**63), 2**63 - 1)}

_NUMBER = r"^-?(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,4}))?\z"
_PLAIN_INTEGER = {
    "integer": r"^-?(0|[1-9][0-9]{0,8})\z",
    "long": r"^-?(0|[1-9][0-9]{0,17})\z",
}
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\z"
_TIMESTAMP = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
    r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)?\z"
)


def read(text: Column, kind: DataType) -> Column:
    """Give the value of `text` in the Spark type of `kind`; NULL where it cannot be had exactly.

    Args:
        text: a JSON scalar as its exact text (strings without quotes), NULL for JSON null.
        kind: the type that the lake holds.

    Returns:
        A column of type `kind.spark_ddl`. NULL for a NULL text, and for a text that is not a
        value of the type: the caller tells the two apart. The grammar is that of AWS DMS, which
        may cast numbers through double (`1.0`, `1e3` for an integer) and spells booleans
        `true`, `t` or `1` (DMS user guide, PostgreSQL source and Kafka target).
    """
    return _READERS[kind.name](text, kind)


def _read_string(text: Column, _: DataType) -> Column:
    return text


def _read_integer(text: Column, kind: DataType) -> Column:
    low, high = INTEGER_RANGES[kind.name]
    exact = _exact_decimal(text, precision=38, scale=0)
    in_range = F.when(exact.between(F.lit(low), F.lit(high)), exact.cast(kind.spark_ddl))
    plain = text.rlike(_PLAIN_INTEGER[kind.name])
    return F.when(plain, text.cast(kind.spark_ddl)).otherwise(in_range)


def _read_decimal(text: Column, kind: DataType) -> Column:
    assert kind.precision is not None
    assert kind.scale is not None
    whole = kind.precision - kind.scale
    fraction = rf"(\.[0-9]{{1,{kind.scale}}})?" if kind.scale else ""
    digits = f"(0|[1-9][0-9]{{0,{whole - 1}}})" if whole else "0"
    plain = text.rlike(rf"^-?{digits}{fraction}\z")
    exact = _exact_decimal(text, kind.precision, kind.scale)
    return F.when(plain, text.cast(kind.spark_ddl)).otherwise(exact)


def _exact_decimal(text: Column, precision: int, scale: int) -> Column:
    """Read a number in any JSON spelling; NULL when digits would be lost.

    Spark's own cast rounds what lies beyond the scale, so the fraction digits that remain after
    the exponent and without trailing zeros are counted first.
    """
    whole, fraction, exponent = (F.regexp_extract(text, _NUMBER, group) for group in (1, 2, 3))
    digits = F.concat(whole, fraction)
    significant = F.regexp_replace(digits, "0+$", "")
    shift = F.coalesce(F.when(exponent != "", exponent.cast("int")), F.lit(0))
    fraction_digits = F.length(fraction) - shift - (F.length(digits) - F.length(significant))
    fits = text.rlike(_NUMBER) & ((significant == "") | (fraction_digits <= scale))
    return F.when(fits, text.cast(f"decimal({precision},{scale})"))


def _read_double(text: Column, _: DataType) -> Column:
    value = text.cast("double")
    finite = F.abs(value) <= F.lit(1.7976931348623157e308)
    return F.when(text.rlike(_NUMBER) & finite, value)


def _read_boolean(text: Column, _: DataType) -> Column:
    spelled = F.lower(text)
    return F.when(spelled.isin("true", "t", "1"), F.lit(True)).when(
        spelled.isin("false", "f", "0"), F.lit(False)
    )


def _read_date(text: Column, _: DataType) -> Column:
    return F.when(text.rlike(_DATE), text.cast("date"))


def _read_timestamp(text: Column, _: DataType) -> Column:
    # Spark's cast takes every spelling of the pattern and cuts what is finer than microseconds.
    return F.when(text.rlike(_TIMESTAMP), text.cast("timestamp"))


_READERS: dict[str, Callable[[Column, DataType], Column]] = {
    "string": _read_string,
    "integer": _read_integer,
    "long": _read_integer,
    "decimal": _read_decimal,
    "double": _read_double,
    "boolean": _read_boolean,
    "date": _read_date,
    "timestamp": _read_timestamp,
}
