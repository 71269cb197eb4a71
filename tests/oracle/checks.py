"""Rules and transforms in plain Python: the verdicts the job's rules must come to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from glue_job.contract.model import Column, DqRule, Table
from glue_job.contract.types import DataType
from tests.oracle.values import Number, read_value


def failed_rules(values: Mapping[str, Any], operation: str, table: Table) -> list[str]:
    """All failing rules of a row, in config order; those of severity error refuse it.

    `values` holds the fields that are present, typed, before transforms.
    """
    return [
        rule.id
        for rule in table.dq_rules
        if rule.severity == "error" and _fails(rule, values, operation, table)
    ]


def warnings(values: Mapping[str, Any], operation: str, table: Table) -> list[str]:
    """A warning lets the row pass and is counted per rule."""
    return [
        rule.id
        for rule in table.dq_rules
        if rule.severity == "warning" and _fails(rule, values, operation, table)
    ]


def _fails(rule: DqRule, values: Mapping[str, Any], operation: str, table: Table) -> bool:
    if not _applies(rule, values, operation, table):
        return False
    value = values[rule.column]
    if value is None:
        return _fails_on_null(rule)
    return _VIOLATES[rule.type](value, rule.params, table.column(rule.column))


def _applies(rule: DqRule, values: Mapping[str, Any], operation: str, table: Table) -> bool:
    """Deletes are checked on key columns only; a field absent from an update is skipped."""
    if rule.column not in values:
        return False
    if operation == "delete":
        return rule.column in table.primary_key
    return operation in rule.operations


def _fails_on_null(rule: DqRule) -> bool:
    """NULL passes every rule but `not_null`; `nulls` turns it."""
    if rule.nulls is not None:
        return rule.nulls == "fail"
    return rule.type == "not_null"


def _parameter(value: Any, data_type: DataType) -> Any:
    """Typed values are compared: a parameter is read as a value of its column."""
    if data_type.name == "double":
        return float(value)
    if isinstance(value, bool | datetime | date):
        return value
    return read_value(value if isinstance(value, str) else Number(value), data_type)


def _range(value: Any, params: Mapping[str, Any], column: Column) -> bool:
    low, high = params.get("min"), params.get("max")
    if column.type.is_numeric and not isinstance(value, float):
        return (low is not None and value < Decimal(str(low))) or (
            high is not None and value > Decimal(str(high))
        )
    return (low is not None and value < _parameter(low, column.type)) or (
        high is not None and value > _parameter(high, column.type)
    )


def _allowed_values(value: Any, params: Mapping[str, Any], column: Column) -> bool:
    return value not in [_parameter(allowed, column.type) for allowed in params["values"]]


def _regex(value: Any, params: Mapping[str, Any], column: Column) -> bool:
    """A pattern is found anywhere in the value; `$` never accepts a trailing newline."""
    del column
    pattern = re.sub(r"(?<!\\)\$", r"\\Z", params["pattern"])
    return re.search(pattern, value) is None


def _length(value: Any, params: Mapping[str, Any], column: Column) -> bool:
    del column
    low, high = params.get("min"), params.get("max")
    return (low is not None and len(value) < low) or (high is not None and len(value) > high)


_VIOLATES: Mapping[str, Callable[[Any, Mapping[str, Any], Column], bool]] = {
    "range": _range,
    "allowed_values": _allowed_values,
    "regex": _regex,
    "length": _length,
    "not_null": lambda value, params, column: False,
}


def transformed(values: Mapping[str, Any], table: Table) -> dict[str, Any]:
    """Transforms come after the rules, by ascending `order`; NULL stays NULL, absent absent."""
    result = dict(values)
    for step in table.ordered_transforms:
        value = result.get(step.column)
        if value is not None:
            result[step.column] = _APPLY[step.type](value, step.params)
    return result


def _round(value: Any, params: Mapping[str, Any]) -> Any:
    rounded = Decimal(str(value)).quantize(
        Decimal(1).scaleb(-params.get("decimals", 0)), ROUND_HALF_UP
    )
    return type(value)(rounded)


def _mask_pii(value: str, params: Mapping[str, Any]) -> str:
    """`555-0101` becomes `555-****`; a value no longer than `visible_chars` is masked whole."""
    visible: int = params.get("visible_chars", 4)
    if len(value) <= visible:
        return "*" * len(value)
    hidden = "*" * (len(value) - visible)
    if params.get("keep", "first") == "last":
        return hidden + value[len(value) - visible :]
    return value[:visible] + hidden


_APPLY: Mapping[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "trim": lambda value, params: value.strip(" "),
    "lower": lambda value, params: value.lower(),
    "upper": lambda value, params: value.upper(),
    "round": _round,
    "mask_pii": _mask_pii,
}
