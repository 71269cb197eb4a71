"""What the pattern check accepts, Java reads; and Java is quick on the worst values found."""

from __future__ import annotations

import random
import re
import time
from typing import TYPE_CHECKING

import pytest

from glue_job.contract.model import Column
from glue_job.contract.types import DataType
from glue_job.regex import inspect
from glue_job.rules import RULES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

TOKENS = (
    *"ab01 ^$.|()[]{}*+?-\\,&é",
    *(r"\d", r"\w", r"\s", r"\b", r"\z", r"\Z", r"\A", r"\p{Lu}", r"\P{L}", r"\x41", r"\R", r"\h"),
    *("(?:", "(?=", "(?!", "(?<=", "(?>", "(?i)", "(?s:", "(?<n>", r"\k<n>", r"\1", "(a|b)"),
    *("[^", "[a-z]", r"[\w-]", "&&", "[a&&[^b]]", "{2}", "{1,3}", "{2,}", "*?", "++", r"\Q.$\E"),
)
WORST_VALUES = [
    (r"^(a|b)*$", "ab"),
    (r"^(((a|b)|c)|d)*$", "abcd"),
    (r"^([^,]*,)*[^,]*$", ",,a"),
    (r"^(?:a(b)?(c)?(d)?(e)?)*$", "a"),
    (r"^(?:\d{1,3}\.)*$", "1."),
    (r"\d+-\d+", "1"),
    (r"^.+@.+\..+$", "@."),
    (r".*foo.*bar", "foo"),
    (r"^[A-Za-z0-9._%+-]+@([A-Za-z0-9-]+\.)+[A-Za-z]{2,}$", "a@a."),
    (r"^[a-z0-9]+(?:-[a-z0-9]+)*$", "a-"),
    (r"^\w+(\s\w+)*$", "a "),
]


def random_patterns(count: int) -> list[str]:
    dice = random.Random(20260131)
    made = ("".join(dice.choices(TOKENS, k=dice.randint(1, 9))) for _ in range(count))
    return [pattern + ")" * max(0, pattern.count("(") - pattern.count(")")) for pattern in made]


def test_java_reads_what_the_check_accepts(spark: SparkSession) -> None:
    compile_pattern = spark.sparkContext._jvm.java.util.regex.Pattern.compile  # type: ignore[union-attr]  # a session has a JVM
    accepted = [found for found in map(inspect, random_patterns(1500)) if not found.faults]
    assert len(accepted) > 200
    for found in accepted:
        compile_pattern(found.java_pattern)


def test_java_is_quick_on_values_that_make_it_backtrack(spark: SparkSession) -> None:
    from pyspark.sql import functions as F

    column = Column("value", DataType("string"))
    values, verdicts = [], []
    for index, (pattern, unit) in enumerate(WORST_VALUES):
        longest = inspect(pattern).longest_value
        values.append((unit * longest)[: longest - 1] + "\x01")
        rule = RULES.build("regex", {"pattern": pattern})
        verdicts.append(rule.violation(F.col(f"v{index}"), column).alias(f"c{index}"))
    ddl = ", ".join(f"v{index} string" for index in range(len(values)))
    began = time.perf_counter()
    (row,) = spark.createDataFrame([tuple(values)], ddl).select(*verdicts).collect()
    assert time.perf_counter() - began < 3 * len(WORST_VALUES)
    expected = [
        re.search(pattern, value[-40:]) is None
        for (pattern, _), value in zip(WORST_VALUES, values, strict=True)
    ]
    assert list(row) == expected


def test_a_value_beyond_the_bound_is_rejected_unmatched(spark: SparkSession) -> None:
    from pyspark.sql import functions as F

    column = Column("value", DataType("string"))
    longest = inspect("^(a|b)*$").longest_value
    rows = spark.createDataFrame([("a" * longest,), ("a" * (longest + 1),)], "value string")
    rule = RULES.build("regex", {"pattern": "^(a|b)*$"})
    found = rows.select(rule.violation(F.col("value"), column)).collect()
    assert [row[0] for row in found] == [False, True]
