"""Conditions of `compliance`: what is let through, and what never reaches Spark."""

from __future__ import annotations

import pytest

from glue_job.contract.types import DataType
from glue_job.metrics.predicate import PredicateError, parse_predicate

TYPES = {
    name: DataType.parse(kind)
    for name, kind in {
        "speed": "double",
        "fuel_level": "integer",
        "status": "string",
        "is_open": "boolean",
        "day": "date",
        "at": "timestamp",
        "date": "date",
    }.items()
}


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("speed >= 0", "(`speed` >= 0)"),
        ("speed >= 0 AND speed < 350.5", "((`speed` >= 0) AND (`speed` < 350.5))"),
        ("is_open", "`is_open`"),
        ("not is_open or speed=1", "((NOT `is_open`) OR (`speed` = 1))"),
        ("speed = 1 or speed = 2 and is_open", "((`speed` = 1) OR ((`speed` = 2) AND `is_open`))"),
        ("speed IS NOT NULL", "(`speed` IS NOT NULL)"),
        ("status in ('a', 'b''c')", "(`status` IN ('a', 'b\\'c'))"),
        ("status NOT LIKE 'A%'", "(`status` NOT LIKE 'A%')"),
        ("speed BETWEEN -1 AND 2*3", "(`speed` BETWEEN (- 1) AND (2 * 3))"),
        ("- - speed < 0", "((- (- `speed`)) < 0)"),
        ("(speed + fuel_level) / 2 > .5", "(((`speed` + `fuel_level`) / 2) > .5)"),
        ("length(trim(status)) > 3", "(length(trim(`status`)) > 3)"),
        ("COALESCE(speed, 0) <> abs(-1)", "(coalesce(`speed`, 0) <> abs((- 1)))"),
        ("`speed` <=> null", "(`speed` <=> NULL)"),
        ("at >= TIMESTAMP '2026-01-01 00:00:00'", "(`at` >= TIMESTAMP '2026-01-01 00:00:00')"),
        ("day < date '2026-01-31'", "(`day` < DATE '2026-01-31')"),
        ("date > '2026-01-31'", "(`date` > '2026-01-31')"),
    ],
)
def test_a_condition_is_written_anew(text: str, sql: str) -> None:
    assert parse_predicate(text, TYPES).sql == sql


def test_the_columns_that_are_read_are_known() -> None:
    assert parse_predicate("b > 1 and (a = 2 or b < 3)").columns == ("b", "a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "java_method('java.lang.System', 'exit') = 1",
            "function `java_method` is not allowed here, at character 1",
        ),
        ("speed > reflect('x')", "function `reflect` is not allowed here, at character 9"),
        ("speed > (select 1)", "column `select` is not in the schema, at character 10"),
        ("speed > 1; drop table x", "`;` has no meaning in a condition, at character 10"),
        ("speed > 1 -- x", "column `x` is not in the schema, at character 14"),
        ("speed > 1 --", "expected a column, a value or `(`, found the end, at character 13"),
        ("speed /* x */ > 1", "expected a column, a value or `(`, found `*`, at character 8"),
        ('status = "a"', "texts stand in single quotes, at character 10"),
        ("status = 'a", "this text has no end, or holds a backslash, at character 10"),
        ("status = 'a\\' or 1=1'", "this text has no end, or holds a backslash, at character 10"),
        ("speed >", "expected a column, a value or `(`, found the end, at character 8"),
        ("speed > 1 is_open", "expected the end, AND or OR, found `is_open`, at character 11"),
        ("0 < speed < 9", "comparisons do not chain, at character 11"),
        ("speed not 5", "expected IN, BETWEEN or LIKE after NOT, found `5`, at character 11"),
        ("speed is 5", "expected NULL, found `5`, at character 10"),
        ("speed in 5", "expected `(`, found `5`, at character 10"),
        ("status like speed", "expected a text after LIKE, found `speed`, at character 13"),
        ("abs(1, 2) > 0", "`abs` takes one argument, at character 1"),
        ("speed", "expected a condition, found a number, at character 1"),
        ("speed and is_open", "expected a condition, found a number, at character 1"),
        ("not status", "expected a condition, found a text, at character 5"),
        ("speed > 'fast'", "compares a number with a text, at character 9"),
        ("status + 1 > 2", "expected a number, found a text, at character 1"),
        ("length(speed) > 2", "expected a text, found a number, at character 8"),
        ("coalesce(speed, 'a') = 1", "expected a number, found a text, at character 17"),
        ("sped > 1", "column `sped` is not in the schema, at character 1"),
        ("day < DATE 'soon'", "'soon' is not a date, at character 12"),
        ("1x > 2", "this is not a number, at character 1"),
        ("", "expected a column, a value or `(`, found the end, at character 1"),
        ("(" * 50 + "is_open" + ")" * 50, "nested too deeply, at character 42"),
        ("not " * 5000 + "is_open", "a condition of more than 4000 characters, at character 4001"),
    ],
)
def test_anything_else_is_refused(text: str, message: str) -> None:
    with pytest.raises(PredicateError) as raised:
        parse_predicate(text, TYPES)
    assert str(raised.value) == message


def test_a_misspelt_column_gets_the_nearest_one() -> None:
    with pytest.raises(PredicateError) as raised:
        parse_predicate("speed > 1 and fuel_lvel > 2", TYPES)
    assert raised.value.position == 14
    assert raised.value.help == "did you mean `fuel_level`?"
