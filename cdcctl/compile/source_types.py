"""PostgreSQL column types: which one a lake type becomes, and which a `source_type` may name."""

from __future__ import annotations

import re

from glue_job.contract.types import DataType

_BY_LAKE_TYPE = {
    "integer": "integer",
    "long": "bigint",
    "double": "double precision",
    # `text` is a LOB to DMS, which cuts it at the task's LobMaxSize; a bounded varchar is not.
    "string": "varchar(255)",
    "boolean": "boolean",
    "timestamp": "timestamp with time zone",
    "date": "date",
}

_PLAIN = frozenset(
    """
    smallint int2 integer int int4 bigint int8 smallserial serial bigserial
    real float4 float8 money boolean bool
    text char json jsonb uuid bytea cidr inet macaddr
    date time timetz timestamp timestamptz interval
    """.split()  # noqa: SIM905 - thirty quoted words in a column are harder to check
) | {
    "double precision",
    "time with time zone",
    "time without time zone",
    "timestamp with time zone",
    "timestamp without time zone",
}
_LENGTH = re.compile(r"(varchar|character varying|char|character|bit|bit varying)\((\d+)\)")
_NUMBER = re.compile(r"(?:numeric|decimal)\((\d+)(?:,(\d+))?\)")
_FRACTION = re.compile(
    r"(timestamptz|timetz)\([0-6]\)|(timestamp|time)\([0-6]\)( with(out)? time zone)?"
)
_MAX_VARCHAR = 10_485_760
_MAX_PRECISION = 1000


def default_source_type(data_type: DataType) -> str:
    """Give the PostgreSQL type of a column that names none."""
    if data_type.name == "decimal":
        return f"numeric({data_type.precision},{data_type.scale})"
    return _BY_LAKE_TYPE[data_type.name]


def source_type(text: str) -> str:
    """Normalise a PostgreSQL type of tables.yaml; ValueError says why it is not accepted."""
    spelled = re.sub(r"\s*([(),])\s*", r"\1", " ".join(text.lower().split()))
    spelled = re.sub(r"\)(?=\w)", ") ", spelled)
    base = spelled.removesuffix("[]")
    if base in {"numeric", "decimal"}:
        raise ValueError(
            f"`{text}` without precision and scale loses digits: DMS rounds it to 6 decimals; "
            "write numeric(p,s)"
        )
    if base in {"varchar", "character varying"}:
        raise ValueError(
            f"`{text}` without a length is cut at 8,000 bytes by DMS; write varchar(n) or text"
        )
    if base in _PLAIN or _FRACTION.fullmatch(base):
        return spelled
    if match := _LENGTH.fullmatch(base):
        if not 1 <= int(match[2]) <= _MAX_VARCHAR:
            raise ValueError(f"`{text}`: a length lies between 1 and {_MAX_VARCHAR:,}")
        return spelled
    if match := _NUMBER.fullmatch(base):
        precision, scale = int(match[1]), int(match[2] or 0)
        if not 1 <= precision <= _MAX_PRECISION or scale > precision:
            raise ValueError(f"`{text}`: precision is 1..{_MAX_PRECISION}, scale at most precision")
        return spelled
    raise ValueError(f"`{text}` is not a PostgreSQL type that cdcctl knows")


def may_be_toasted(spelled: str) -> bool:
    """Tell whether PostgreSQL may leave an unchanged value of this type out of an update."""
    base = spelled.removesuffix("[]")
    if spelled != base or base in {"text", "json", "jsonb", "bytea"}:
        return True
    match = _LENGTH.fullmatch(base)
    # A row of up to 2 kB stays in line; 500 characters of four bytes reach that.
    return match is not None and int(match[2]) >= 500
