"""Has DMS load tables again, and closes the keys that a load has not brought."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from cdcctl.aws import dms
from cdcctl.errors import CdcctlError
from cdcctl.operations.repair import RepairReport, RepairRequest, repair
from cdcctl.operations.run_control import StepReport, require_task
from cdcctl.operations.target import Target
from cdcctl.operations.waiting import Waiting
from glue_job.requests import Load

if TYPE_CHECKING:
    from cdcctl.ui.progress import Progress

_NOT_WHOLE = "LAK070"


def last_loads(target: Target, schema: str, tables: list[str]) -> dict[str, dms.TableLoad]:
    """Give the newest load of each of some tables."""
    loads = dms.table_loads(target.aws, require_task(target), schema)
    nothing = dms.TableLoad("not loaded yet", None, 0, 0)
    return {table: loads.get(table, nothing) for table in tables}


def reload(target: Target, schema: str, tables: list[str]) -> StepReport:
    """Have DMS load tables again; rows that are gone at the source stay as they are in the lake."""
    task = require_task(target)
    if task.status not in dms.RUNNING:
        raise CdcctlError(
            "DMS006",
            "DMS reloads tables only while it runs",
            why=f"its status is {task.status}",
            fix=f"cdcctl start dms --stack {target.stack}",
        )
    dms.reload_tables(target.aws, task, schema, tables)
    return StepReport("reload", "done", ", ".join(tables))


def reloaded(
    target: Target,
    schema: str,
    before: dict[str, dms.TableLoad],
    waiting: Waiting,
    progress: Progress,
) -> dict[str, dms.TableLoad]:
    """Wait until DMS has loaded tables that it was asked to load again."""
    progress.step(f"DMS loads {', '.join(before)}")

    def is_new(table: str, load: dms.TableLoad) -> bool:
        return load.began != before[table].began and "reload" not in load.state

    return waiting.until(
        lambda: last_loads(target, schema, list(before)),
        lambda loads: all(
            is_new(table, load) and load.state not in {"Full load", "Before load"}
            for table, load in loads.items()
        ),
        what=f"the load of {', '.join(before)}",
        again=f"cdcctl status --stack {target.stack}   shows it; then with --close-missing"
        " --load-began and --load-rows",
    )


def as_load(target: Target, table: str, load: dms.TableLoad, most_share: float) -> Load:
    """Give a load as the job compares with it; raise when it did not bring every row."""
    if load.began is None or not load.is_complete:
        raise CdcctlError(
            "DMS008",
            f"no key of {table} can be closed: DMS has not loaded it whole",
            why=f"its state is {load.state}, {load.failed_rows} rows failed",
            fix=f"cdcctl logs dms --stack {target.stack} --table {table}   says why",
        )
    return Load(load.began, load.rows, most_share)


def count_missing(request: RepairRequest, waiting: Waiting, progress: Progress) -> RepairReport:
    """Count the keys that a load has not brought, once all of it is in the lake."""
    ends_at = time.monotonic() + waiting.timeout_seconds
    while True:
        try:
            return repair(replace(request, dry_run=True), progress)
        except CdcctlError as error:
            if error.code != _NOT_WHOLE or time.monotonic() > ends_at:
                raise
        waiting.sleep(waiting.interval_seconds * waiting.scale)
