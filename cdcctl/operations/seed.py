"""Writes fleet data into the source database of the local stack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.local.fleet import TABLES, Fleet, FleetCounts, FleetPlan
from cdcctl.local.layout import StackDirectory
from cdcctl.local.postgres import PostgresServer
from cdcctl.operations.local_stack import stack_status

if TYPE_CHECKING:
    from cdcctl.ui.progress import Progress


@dataclass(frozen=True)
class SeedReport:
    """What was written, by table."""

    tables: tuple[str, ...]
    counts: FleetCounts


def seed_local(directory: Path | None, plan: FleetPlan, progress: Progress) -> SeedReport:
    """Write fleet data into the PostgreSQL of the stack that is up."""
    import psycopg2

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
        counts = Fleet(server.connect, plan).write(progress.advance)
    except psycopg2.Error as error:
        raise CdcctlError(
            "DB001",
            "the local source refused a row",
            why=" ".join(str(error).split()),
            fix="cdcctl local status; the rows committed so far are kept",
        ) from error
    return SeedReport(TABLES, counts)
