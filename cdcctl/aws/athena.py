"""Runs a query on Athena and gives its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cdcctl.aws.session import Aws

ENDED = frozenset(("SUCCEEDED", "FAILED", "CANCELLED"))


@dataclass(frozen=True)
class Execution:
    """How far a query is."""

    id: str
    state: str
    reason: str = ""
    scanned_bytes: int | None = None
    """What is paid for."""


def start_query(aws: Aws, sql: str, database: str, results: str) -> str:
    """Start a query; its result goes below the s3:// prefix `results`. Give its id."""
    answer = aws.call(
        "athena",
        "start_query_execution",
        QueryString=sql,
        WorkGroup="primary",
        QueryExecutionContext={"Database": database},
        ResultConfiguration={"OutputLocation": results},
    )
    return str(answer["QueryExecutionId"])


def read_execution(aws: Aws, query_id: str) -> Execution:
    """Ask how far a query is."""
    asked = aws.call("athena", "get_query_execution", QueryExecutionId=query_id)["QueryExecution"]
    held = asked["Status"]
    return Execution(
        query_id,
        str(held["State"]),
        str(held.get("StateChangeReason", "")),
        asked.get("Statistics", {}).get("DataScannedInBytes"),
    )


def stop_query(aws: Aws, query_id: str) -> None:
    """Stop a query that nobody waits for any more."""
    aws.call("athena", "stop_query_execution", QueryExecutionId=query_id)


def read_rows(aws: Aws, query_id: str) -> tuple[tuple[str, ...], tuple[dict[str, Any], ...]]:
    """Give columns and rows of a query that has succeeded; every value is text or None."""
    columns: tuple[str, ...] = ()
    rows: list[dict[str, Any]] = []
    for row in aws.pages(
        "athena", "get_query_results", "ResultSet.Rows", QueryExecutionId=query_id
    ):
        values = [each.get("VarCharValue") for each in row["Data"]]
        if not columns:
            columns = tuple(str(value) for value in values)
        else:
            rows.append(dict(zip(columns, values, strict=True)))
    return columns, tuple(rows)
