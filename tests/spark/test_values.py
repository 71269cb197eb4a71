"""Texts become values exactly, or not at all."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from glue_job.contract.types import DataType
from glue_job.pipeline.values import read

pytestmark = pytest.mark.spark

CASES = {
    "integer": {
        "42": "42", "-0": "0", "1.0": "1", "1e3": "1000", "100e-2": "1", "0e-500": "0",
        "-2147483648": "-2147483648", "2147483648": None, "1.5": None, "7x": None, "": None,
        " 4": None, "+5": None, "007": None, "12\n": None, "1E+400": None, "1e-400": None,
    },
    "long": {
        "9223372036854775807": "9223372036854775807", "9223372036854775808": None,
        "1.23e+18": "1230000000000000000",
    },
    "decimal(38,6)": {
        "12345678901234567890.123456": "12345678901234567890.123456",
        "12345678901234567890.1234567": None, "1.100000000": "1.100000", "1e33": None,
    },
    "decimal(5,2)": {
        "1.100": "1.10", "999.99": "999.99", "1000": None, "1.234": None, "1e-2": "0.01",
        "1e-3": None, "12.3e1": "123.00", "NaN": None,
    },
    "double": {"0.1": "0.1", "-1.5E-7": "-1.5E-7", "1e400": None, "NaN": None, "1d": None},
    "boolean": {
        "true": "true", "TRUE": "true", "t": "true", "1": "true", "f": "false", "0": "false",
        "yes": None,
    },
    "timestamp": {
        "2024-07-29T00:57:35.691762Z": "2024-07-29 00:57:35.691762",
        "2024-07-29 00:57:35": "2024-07-29 00:57:35",
        "2024-07-29T00:57:35.1234567899Z": "2024-07-29 00:57:35.123456",
        "2024-07-29T00:57:35+02:00": "2024-07-28 22:57:35",
        "2024-07-29T00:57:35.5+0230": "2024-07-28 22:27:35.5",
        "2024-02-30T00:00:00Z": None, "2024-07-29": None, "12:30": None,
    },
    "date": {"2024-02-29": "2024-02-29", "2023-02-29": None, "2024-2-9": None},
}  # fmt: skip


def test_a_text_is_read_exactly_or_not_at_all(spark: SparkSession) -> None:
    texts = sorted({text for cases in CASES.values() for text in cases})
    frame = spark.createDataFrame([(text,) for text in texts], "text string")
    columns = [
        read(F.col("text"), DataType.parse(kind)).cast("string").alias(kind) for kind in CASES
    ]
    found = {row["text"]: row for row in frame.select("text", *columns).collect()}
    wrong = [
        (kind, text, found[text][kind], expected)
        for kind, cases in CASES.items()
        for text, expected in cases.items()
        if found[text][kind] != expected
    ]
    assert wrong == []
