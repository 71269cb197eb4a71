"""Writes fleet data into a source: that of the local stack, or that of a stack on AWS."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdcctl.compile.artefacts import CompiledFile
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.local.fleet import TABLES, Change, Fleet, FleetCounts, FleetPlan, write_fleet
from cdcctl.operations.compiled_upload import ask
from cdcctl.operations.target import Target

if TYPE_CHECKING:
    from cdcctl.ui.progress import Progress

_ROWS_AT_ONCE = 500
_SECONDS_AT_ONCE = 5.0
"""At a rate, a call brings what this many seconds are to bring."""


@dataclass(frozen=True)
class SeedReport:
    """What was written, by table."""

    tables: tuple[str, ...]
    counts: FleetCounts


def seed_local(directory: Path | None, plan: FleetPlan, progress: Progress) -> SeedReport:
    """Write fleet data into the PostgreSQL of the stack that is up."""
    import psycopg2

    from cdcctl.local.layout import StackDirectory
    from cdcctl.local.postgres import PostgresServer
    from cdcctl.operations.local_stack import stack_status

    status = stack_status(directory)
    if not status.is_up or not status.postgres:
        raise CdcctlError(
            "LOC060",
            f"no local stack is up in {status.directory}",
            fix="cdcctl local up",
            exit_code=ExitCode.NOT_FOUND,
        )
    captured = {report.table for report in status.tables}
    missing = [table for table in TABLES if f"{plan.schema}.{table}" not in captured]
    if missing:
        raise CdcctlError(
            "LOC061",
            f"the local stack has no table {missing[0]}",
            why="seed writes the fleet data of config/tables.yaml; this stack runs another config",
            fix="cdcctl local up --config config/tables.yaml",
        )
    server = PostgresServer(StackDirectory(status.directory), int(status.postgres["port"]))
    progress.step(f"writing {plan.rows:,} changes")
    try:
        counts = write_fleet(server.connect, plan, progress.advance)
    except psycopg2.Error as error:
        raise CdcctlError(
            "DB001",
            "the local source refused a row",
            why=" ".join(str(error).split()),
            fix="cdcctl local status; the rows committed so far are kept",
        ) from error
    return SeedReport(TABLES, counts)


def seed_stack(target: Target, plan: FleetPlan, progress: Progress) -> SeedReport:
    """Have sql-runner write fleet data into a stack's source: rows go to it, never SQL."""
    fleet = Fleet(plan)
    keys = write_rows(target, plan.schema, TABLES, {}, [])
    missing = [table for table in TABLES if table not in keys]
    if missing:
        raise CdcctlError(
            "DB011",
            f"the source of {target.stack} has no table {plan.schema}.{missing[0]} with an id",
            why="seed writes the fleet data of config/tables.yaml",
            fix=f"cdcctl bootstrap-db --stack {target.stack} -c config/tables.yaml",
        )
    fleet.learn(keys)
    progress.step(f"writing {plan.rows:,} changes")
    began = time.monotonic()
    while not fleet.is_done:
        before = fleet.counts.rows
        try:
            part = _next_part(fleet, plan)
            keys = write_rows(target, plan.schema, TABLES, keys, part)
        except CdcctlError as error:
            if error.code != "AWS031":
                raise
            raise CdcctlError(
                "DB012",
                f"the source of {target.stack} took {before:,} of {plan.rows:,} changes",
                why=error.why,
                fix="seed again goes on after the rows that are there",
                request_id=error.request_id,
            ) from error
        progress.advance(min(fleet.counts.rows, plan.rows), plan.rows)
        if plan.rate > 0 and not fleet.is_done:
            time.sleep(max(0.0, began + fleet.counts.rows / plan.rate - time.monotonic()))
    return SeedReport(TABLES, fleet.counts)


def _next_part(fleet: Fleet, plan: FleetPlan) -> list[list[Change]]:
    wanted = min(_ROWS_AT_ONCE, plan.rate * _SECONDS_AT_ONCE or _ROWS_AT_ONCE)
    ends_at = fleet.counts.rows + wanted
    part: list[list[Change]] = []
    while not fleet.is_done and (fleet.counts.rows < ends_at or not part):
        part.append(fleet.transaction())
    return part


def write_rows(
    target: Target,
    schema: str,
    tables: tuple[str, ...],
    keys: dict[str, list[int]],
    part: list[list[Change]],
) -> dict[str, list[int]]:
    """Write some transactions after the keys that are there; give the newest keys after them."""
    artefact = {
        "schema": schema,
        "tables": tables,
        "last": {table: max(found, default=0) for table, found in keys.items()},
        "transactions": [[asdict(change) for change in changes] for changes in part],
    }
    file = CompiledFile("rows.json", json.dumps(artefact, default=datetime.isoformat).encode())
    answer: dict[str, Any] = ask(
        target, target.names.sql_runner, file, {"action": "seed"}, folder="seed"
    )
    held: dict[str, list[int]] = answer["keys"]
    return held
