"""Runs SQL of Athena's dialect on a lake of this machine, through the embedded engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import sqlglot
from deltalake import QueryBuilder
from sqlglot import exp
from sqlglot.errors import SqlglotError

from cdcctl.compile.catalog import BATCHES_TABLE
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.lake.faults import first_line
from cdcctl.lake.reader import Lake, LakeTable
from glue_job.contract.lake import METRICS_TABLE

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}


@dataclass(frozen=True)
class Answer:
    """Columns and rows of a query."""

    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]


def answer_locally(lake: Lake, sql: str) -> Answer:
    """Answer one SELECT on the lake's tables under the names that the Glue catalog gives them."""
    statement = parsed(sql)
    builder = QueryBuilder()
    for name, table in _tables_of(lake, statement).items():
        builder = table.register(builder, name)
    try:
        answer = builder.execute(_translated(statement)).read_all()
        columns = tuple(answer.schema.names)
        rows = cast(list[dict[str, Any]], answer.to_struct_array().to_pylist())
    except Exception as error:
        # The engine raises bare Exception for whatever it does not take.
        raise CdcctlError(
            "LAK032",
            "the query cannot be answered",
            why=first_line(error),
            fix="cdcctl query   lists the queries that are there",
        ) from error
    return Answer(columns, tuple(rows))


def parsed(sql: str) -> exp.Query:
    """Parse one SELECT; raise LAK031 for anything else."""
    try:
        statements = [each for each in sqlglot.parse(sql, read="athena") if each is not None]
    except SqlglotError as error:
        raise _refused(str(error).splitlines()[0]) from error
    if len(statements) != 1:
        raise _refused(f"it has {len(statements)} statements, one is possible")
    if not isinstance(statements[0], exp.Query):
        raise _refused("only a SELECT is possible: the lake is written by the job alone")
    return statements[0]


def _refused(why: str) -> CdcctlError:
    return CdcctlError(
        "LAK031",
        "this is no query that can be run",
        why=why,
        fix="give one SELECT in Athena's dialect, or a name: cdcctl query",
        exit_code=ExitCode.USAGE,
    )


def _translated(statement: exp.Query) -> str:
    def engine_function(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.DateDiff):
            return _seconds_between(node)
        return node

    return statement.transform(engine_function).sql(dialect="postgres")


def _seconds_between(difference: exp.DateDiff) -> exp.Expression:
    """Spell Athena's date_diff, which the engine does not have, by seconds."""
    unit = str(difference.args.get("unit") or "day").strip("'").lower()
    if unit not in _SECONDS:
        raise _refused(f"date_diff in {unit}s is not possible on a local lake")
    later, earlier = difference.this, difference.expression
    seconds = exp.Sub(this=_epoch(later), expression=_epoch(earlier))
    share = exp.Div(this=exp.Paren(this=seconds), expression=exp.Literal.number(_SECONDS[unit]))
    return exp.Anonymous(this="trunc", expressions=[share])


def _epoch(moment: exp.Expression) -> exp.Expression:
    return exp.Extract(this=exp.var("epoch"), expression=moment.copy())


def _tables_of(lake: Lake, statement: exp.Query) -> dict[str, LakeTable]:
    paths = _paths_of(lake)
    own = {each.alias_or_name for each in statement.find_all(exp.CTE)}
    asked = {each.name for each in statement.find_all(exp.Table)} - own
    found = {name: lake.open(name, paths[name]) for name in asked if name in paths}
    unknown = sorted(name for name in asked if found.get(name) is None)
    if unknown:
        known = sorted(name for name, path in paths.items() if lake.store.has_commits(path))
        raise CdcctlError(
            "LAK003",
            f"table `{unknown[0]}` is not in the lake {lake.root}",
            why=f"it holds: {', '.join(known)}" if known else "it is empty",
            exit_code=ExitCode.NOT_FOUND,
        )
    return {name: table for name, table in found.items() if table is not None}


def _paths_of(lake: Lake) -> dict[str, str]:
    """Give where tables lie by the names of the Glue catalog, whether they are there or not."""
    paths = lake.paths
    found = {METRICS_TABLE: paths.metrics, BATCHES_TABLE: paths.batches}
    for name in lake.table_names():
        found[name] = paths.history(name)
        found[f"{name}_quarantine"] = paths.quarantine(name)
    return found
