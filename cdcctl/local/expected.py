"""What the lake must hold for a source row, computed without Spark: the demo's second opinion.

It knows the rules and transforms of config/tables.yaml; one that it does not know is an error, so
that a proof never passes by leaving something out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from glue_job.contract.model import DqRule, Table, Transform
from glue_job.rules import RULES
from glue_job.transforms import TRANSFORMS

Row = Mapping[str, Any]


class CannotProve(Exception):
    """The config uses a rule or a transform that this module does not know."""


@dataclass(frozen=True)
class Difference:
    """A value of the lake that is not what its source row asks for."""

    key: tuple[Any, ...]
    column: str
    expected: Any
    found: Any


def refusing_rules(table: Table, row: Row) -> list[str]:
    """Name the error rules that refuse a row."""
    return [
        rule.id
        for rule in table.dq_rules
        if rule.severity == "error" and _violates(rule, row[rule.column])
    ]


def lake_row(table: Table, row: Row) -> dict[str, Any]:
    """Give the values that the lake must hold for an accepted row."""
    values = {column: row[column] for column in table.column_names}
    for step in table.ordered_transforms:
        values[step.column] = _transformed(step, values[step.column])
    return values


def differences(table: Table, key: tuple[Any, ...], source: Row, lake: Row) -> list[Difference]:
    """Compare a current row of the lake with its source row."""
    wanted = lake_row(table, source)
    return [
        Difference(key, column, wanted[column], lake[column])
        for column in table.column_names
        if _comparable(wanted[column]) != _comparable(lake[column])
    ]


def _violates(rule: DqRule, value: Any) -> bool:
    check = RULES.build(rule.type, dict(rule.params))
    if rule.type == "not_null":
        return value is None
    if value is None:
        return rule.nulls == "fail"
    parameters: Any = check
    match rule.type:
        case "range" if isinstance(value, int | float | Decimal):
            low, high = parameters.min, parameters.max
            return bool((low is not None and value < low) or (high is not None and value > high))
        case "allowed_values":
            return value not in parameters.values
        case "regex":
            return re.search(parameters.pattern, value) is None
        case "length":
            low, high = parameters.min, parameters.max
            size = len(value)
            return bool((low is not None and size < low) or (high is not None and size > high))
    raise CannotProve(f"rule {rule.id}: type `{rule.type}` on {type(value).__name__}")


def _transformed(step: Transform, value: Any) -> Any:
    if value is None and step.type in {"trim", "lower", "upper", "round", "mask_pii"}:
        return None
    parameters: Any = TRANSFORMS.build(step.type, dict(step.params))
    match step.type:
        case "trim":
            return value.strip(" ")
        case "lower":
            return value.lower()
        case "upper":
            return value.upper()
        case "round" if isinstance(value, float | Decimal):
            unit = Decimal(1).scaleb(-parameters.decimals)
            rounded = Decimal(repr(value) if isinstance(value, float) else value).quantize(
                unit, ROUND_HALF_UP
            )
            return type(value)(rounded)
        case "mask_pii":
            return _masked(value, parameters.visible_chars, parameters.keep)
    raise CannotProve(f"transform {step.id}: type `{step.type}` on {type(value).__name__}")


def _masked(value: str, visible: int, keep: str) -> str:
    hidden = len(value) - visible
    if hidden <= 0:
        return "*" * len(value)
    if keep == "first":
        return value[:visible] + "*" * hidden
    return "*" * hidden + value[hidden:]


def _comparable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return value
