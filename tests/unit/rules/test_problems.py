"""What validation says about rules, transforms and metrics that do not fit their columns."""

from __future__ import annotations

from typing import Any

import pytest

from glue_job.contract.model import Column, Table
from glue_job.contract.types import DataType
from glue_job.metrics import METRICS
from glue_job.rules import RULES
from glue_job.transforms import TRANSFORMS

COLUMNS = {
    "id": "integer",
    "code": "string",
    "name": "string",
    "speed": "double",
    "count": "integer",
    "total": "long",
    "price": "decimal(6,2)",
    "is_open": "boolean",
    "day": "date",
    "at": "timestamp",
}
TABLE = Table(
    "trips",
    "cdc-trips",
    "",
    ("id", "code"),
    tuple(Column(name, DataType.parse(kind)) for name, kind in COLUMNS.items()),
)


def problems(registry: Any, name: str, column: str | None, params: dict[str, Any]) -> list[str]:
    entry = registry.build(name, params)
    found = entry.problems(TABLE, None if column is None else TABLE.column(column))
    return [problem.message for problem in found]


@pytest.mark.parametrize(
    ("rule", "column", "params"),
    [
        ("range", "speed", {"min": 0, "max": 350}),
        ("range", "count", {"min": 0.5}),
        ("range", "price", {"min": "0.005", "max": 0.01}),
        ("range", "total", {"max": 10**30}),
        ("range", "day", {"min": "2020-01-01", "max": "2020-01-01"}),
        ("range", "at", {"min": "2020-01-01", "max": "2020-01-01T01:00:00+00:30"}),
        ("allowed_values", "code", {"values": ["a", "A"]}),
        ("allowed_values", "total", {"values": [2**40, "7", 1.0]}),
        ("allowed_values", "is_open", {"values": ["true", False]}),
        ("length", "name", {"min": 0, "max": 0}),
        ("regex", "name", {"pattern": "^.*$", "max_length": 5}),
        ("castable", "name", {"to": "timestamp"}),
        ("not_null", "day", {}),
    ],
)
def test_a_fitting_rule_has_no_problem(rule: str, column: str, params: dict[str, Any]) -> None:
    assert problems(RULES, rule, column, params) == []


@pytest.mark.parametrize(
    ("rule", "column", "params", "message"),
    [
        (
            "range",
            "name",
            {"min": 1},
            "`range` needs numbers, dates or timestamps; `name` is string",
        ),
        (
            "range",
            "is_open",
            {"min": 1},
            "`range` needs numbers, dates or timestamps; `is_open` is boolean",
        ),
        ("range", "speed", {"min": 5, "max": 1}, "no value can pass: `min` 5 is above `max` 1"),
        (
            "range",
            "day",
            {"min": "2021-01-01", "max": "2020-12-31"},
            'no value can pass: `min` "2021-01-01" is above `max` "2020-12-31"',
        ),
        ("range", "speed", {"min": "fast"}, '`min` does not fit `speed`: "fast" is not a number'),
        (
            "range",
            "day",
            {"max": 5},
            '`max` does not fit `day`: 5 is not a date; write "2026-01-31"',
        ),
        (
            "range",
            "day",
            {"max": "2026-02-30"},
            '`max` does not fit `day`: "2026-02-30" is not a day of the calendar',
        ),
        (
            "range",
            "at",
            {"max": "2026-01-31T25:00:00"},
            '`max` does not fit `at`: "2026-01-31T25:00:00" is not a moment of the calendar',
        ),
        (
            "range",
            "speed",
            {"max": 10**400},
            "`max` does not fit `speed`: a number of more than 350 digits",
        ),
        (
            "allowed_values",
            "code",
            {"values": [1, True]},
            'a value does not fit `code` (string): 1 is not a text; write "1"',
        ),
        ("allowed_values", "code", {"values": ["a", "a"]}, '"a" stands twice in `values`'),
        ("allowed_values", "price", {"values": [1.5, "1.50"]}, '"1.50" stands twice in `values`'),
        (
            "allowed_values",
            "price",
            {"values": [1.005]},
            "a value does not fit `price` (decimal(6,2)): 1.005 is not exact in decimal(6,2): "
            "at most 2 digits after the point",
        ),
        (
            "allowed_values",
            "count",
            {"values": [2**31]},
            "a value does not fit `count` (integer): 2147483648 is outside integer: "
            "-2147483648 to 2147483647",
        ),
        (
            "allowed_values",
            "is_open",
            {"values": ["yes"]},
            'a value does not fit `is_open` (boolean): "yes" is not a boolean; write true or false',
        ),
        (
            "allowed_values",
            "at",
            {"values": ["noon"]},
            'a value does not fit `at` (timestamp): "noon" is not a timestamp; '
            'write "2026-01-31T12:00:00Z"',
        ),
        ("length", "count", {"min": 1}, "`length` needs a string; `count` is integer"),
        ("length", "name", {"min": 2, "max": 1}, "no value can pass: `min` 2 is above `max` 1"),
        ("regex", "speed", {"pattern": "a"}, "`regex` needs a string; `speed` is double"),
        ("regex", "name", {"pattern": "("}, "the group is never closed, at character 1"),
        (
            "regex",
            "name",
            {"pattern": "^(ab|c)*$", "max_length": 10_000},
            "this pattern can take too long on 10000 characters",
        ),
        ("castable", "name", {"to": "string"}, "every value passes: each text is a string"),
        ("castable", "day", {"to": "date"}, "`castable` needs a string; `day` is date"),
        ("vin", "total", {}, "`vin` needs a string; `total` is long"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused(
    rule: str, column: str, params: dict[str, Any], message: str
) -> None:
    assert message in problems(RULES, rule, column, params)


@pytest.mark.parametrize(
    ("step", "column", "params", "message"),
    [
        ("trim", "speed", {}, "`trim` needs a string; `speed` is double"),
        ("lower", "day", {}, "`lower` needs a string; `day` is date"),
        ("upper", "count", {}, "`upper` needs a string; `count` is integer"),
        ("round", "name", {"decimals": 1}, "`round` needs a number; `name` is string"),
        ("round", "count", {"decimals": 1}, "`round` does nothing: `count` is integer"),
        ("round", "price", {"decimals": 2}, "`round` does nothing: `price` is decimal(6,2)"),
        ("mask_pii", "code", {}, "`mask_pii` on a key column: `code` is part of the primary key"),
        ("mask_pii", "speed", {}, "`mask_pii` needs a string; `speed` is double"),
        ("hash", "code", {}, "`hash` on a key column: `code` is part of the primary key"),
        ("cast", "day", {"to": "double"}, "date cannot be turned into double"),
        ("cast", "day", {"to": "date"}, "`cast` does nothing: `day` is date here"),
        (
            "default_value",
            "count",
            {"value": "x"},
            '`value` does not fit `count`: "x" is not a number',
        ),
        (
            "default_value",
            "id",
            {"value": 0},
            "`default_value` on a key column: `id` is part of the primary key",
        ),
    ],
)
def test_a_transform_that_does_not_fit_is_refused(
    step: str, column: str, params: dict[str, Any], message: str
) -> None:
    assert message in problems(TRANSFORMS, step, column, params)


def test_a_cast_changes_the_type_that_later_steps_see() -> None:
    step = TRANSFORMS.build("cast", {"to": "decimal(5,1)"})
    assert step.columns_after(TABLE.column("name")) == Column("name", DataType("decimal", 5, 1))
    mask = TRANSFORMS.build("mask_pii")
    assert mask.columns_after(TABLE.column("name")) == TABLE.column("name")


@pytest.mark.parametrize("metric", ["completeness", "uniqueness"])
def test_a_metric_of_a_column_asks_for_one(metric: str) -> None:
    assert problems(METRICS, metric, None, {}) == [f"`{metric}` needs a column"]
    assert problems(METRICS, metric, "name", {}) == []


def test_a_share_has_a_threshold_between_0_and_1() -> None:
    share, size = METRICS.build("completeness"), METRICS.build("size")
    assert [share.threshold_problems(good) for good in (None, 0, 0.95, 1)] == [()] * 4
    (problem,) = share.threshold_problems(1.01)
    assert problem.message == "threshold of `completeness` must be between 0 and 1"
    assert size.threshold_problems(1000) == ()
    (problem,) = size.threshold_problems(-1)
    assert problem.message == "threshold of `size` must be a number of at least 0"
