"""PostgreSQL types of columns."""

import pytest

from glue_job.contract.source_types import SourceType
from glue_job.contract.types import DataType


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int4", SourceType("integer")),
        ("BIGSERIAL", SourceType("bigint")),
        ("character varying ( 20 )", SourceType("varchar", (20,))),
        ("timestamp(3) with time zone", SourceType("timestamp with time zone", (3,))),
        ("timestamptz", SourceType("timestamp with time zone")),
        ("numeric(10, 2)", SourceType("numeric", (10, 2))),
        ("decimal(10)", SourceType("numeric", (10,))),
        ("text[]", SourceType("text", is_array=True)),
        ("double precision", SourceType("double precision")),
    ],
)
def test_spellings_of_postgresql_are_read(text: str, expected: SourceType) -> None:
    assert SourceType.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "strng", "numeric", "varchar", "varchar(0)", "numeric(5,6)", "date(3)", "varchar(5,2)",
     "text; drop table x", "timestamp(7)", "numeric(1001)", "integer(4"],
)  # fmt: skip
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"`"):
        SourceType.parse(text)


@pytest.mark.parametrize(
    ("source", "lake", "holds", "may_hold"),
    [
        ("bigint", "long", True, True),
        ("bigint", "integer", False, True),
        ("numeric(10,2)", "decimal(10,2)", True, True),
        ("numeric(10,2)", "decimal(12,4)", True, True),
        ("numeric(10,2)", "decimal(10,4)", False, True),
        ("numeric(10,2)", "boolean", False, False),
        ("boolean", "string", True, True),
        ("text", "timestamp", False, True),
        ("text[]", "string", True, True),
        ("integer[]", "integer", False, False),
        ("uuid", "integer", False, False),
    ],
)
def test_what_a_lake_type_takes(source: str, lake: str, holds: bool, may_hold: bool) -> None:
    parsed, lake_type = SourceType.parse(source), DataType.parse(lake)
    assert (parsed.holds_in(lake_type), parsed.may_hold_in(lake_type)) == (holds, may_hold)
