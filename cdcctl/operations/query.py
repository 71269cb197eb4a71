"""Answers a named question or a SELECT: on Athena, or on a lake of this machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cdcctl.errors import CdcctlError
from cdcctl.operations.configuration import load_config
from cdcctl.operations.lakes import LakeRequest, open_requested_lake
from cdcctl.operations.named_queries import NamedQuery, find_query, read_queries
from cdcctl.operations.privacy import HIDING_TRANSFORMS, MASK
from cdcctl.operations.target import open_target
from glue_job.contract.model import Pipeline


@dataclass(frozen=True)
class QueryReport:
    """The rows; `masked` names the columns whose values are hidden."""

    sql: str
    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    masked: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    scanned_bytes: int | None = None
    """What Athena read for it."""


def question(text: str, queries: Path) -> str:
    """Give the SQL of a named query; what has a space in it is SQL itself."""
    if any(mark.isspace() for mark in text.strip()):
        return text.strip().removesuffix(";")
    return find_query(read_queries(queries), text, queries).sql


def known_queries(queries: Path) -> tuple[NamedQuery, ...]:
    """Give every named query."""
    return read_queries(queries)


def query_lake(sql: str, request: LakeRequest, *, reveal: bool = False) -> QueryReport:
    """Answer on a lake of this machine."""
    from cdcctl.lake.athena_dialect import answer_locally

    opened = open_requested_lake(request)
    answer = answer_locally(opened.lake, sql)
    hidden = () if reveal else _hidden(opened.pipeline, sql, answer.columns)
    return _masked(sql, answer.columns, answer.rows, hidden, opened.warnings)


def query_athena(
    sql: str, request: LakeRequest, timeout_seconds: float, *, reveal: bool = False
) -> QueryReport:
    """Answer on Athena; a query that is not waited for to its end is stopped there."""
    from cdcctl.aws import athena
    from cdcctl.operations.waiting import Waiting

    pipeline = load_config(request.config).pipeline
    target = open_target(request.target)
    waiting = Waiting(timeout_seconds=timeout_seconds, interval_seconds=0.5)
    results = f"s3://{target.names.assets_bucket}/athena/"
    query_id = athena.start_query(target.aws, sql, target.names.glue_database, results)
    try:
        ended = waiting.until(
            lambda: athena.read_execution(target.aws, query_id),
            lambda seen: seen.state in athena.ENDED,
            what=f"the query {query_id}",
            again="raise --timeout, or ask for less",
        )
    except (KeyboardInterrupt, CdcctlError):
        athena.stop_query(target.aws, query_id)
        raise
    if ended.state != "SUCCEEDED":
        raise CdcctlError(
            "AWS020",
            f"Athena did not answer the query ({ended.state.lower()})",
            why=f"{ended.reason} (query {query_id})",
            fix="cdcctl sync-catalog   when a table is not found; else mend the SQL",
        )
    columns, rows = athena.read_rows(target.aws, query_id)
    hidden = () if reveal else _hidden(pipeline, sql, columns)
    report = _masked(sql, columns, rows, hidden, ())
    return replace(report, scanned_bytes=ended.scanned_bytes)


def _hidden(pipeline: Pipeline | None, sql: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Name the columns of an answer to mask; without a config all are."""
    if pipeline is None:
        return columns
    from cdcctl.operations.lineage import columns_showing

    personal = {
        column.name
        for table in pipeline.tables
        for column in table.schema
        if column.pii
        and not any(
            step.column == column.name and step.type in HIDING_TRANSFORMS
            for step in table.transforms
        )
    }
    return columns_showing(sql, personal, columns)


def _masked(
    sql: str,
    columns: tuple[str, ...],
    rows: tuple[dict[str, Any], ...],
    hidden: tuple[str, ...],
    warnings: tuple[str, ...],
) -> QueryReport:
    shown = tuple(
        {name: MASK if name in hidden and value is not None else value for name, value in r.items()}
        for r in rows
    )
    return QueryReport(sql, columns, shown, hidden, warnings)
