"""Proves that a stack works from end to end: one row of the source is timed to the lake."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cdcctl.aws import dms, glue
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.lake.reader import ROWS, Lake
from cdcctl.local.fleet import Change
from cdcctl.operations.keys import where_key
from cdcctl.operations.run_control import StepReport
from cdcctl.operations.seed import write_rows
from cdcctl.operations.target import Target
from cdcctl.operations.waiting import Waiting
from glue_job.contract.model import Pipeline

if TYPE_CHECKING:
    from cdcctl.ui.progress import Progress

TABLE = "vehicles"
_ROW = {
    "vin": "CANARY00000000000",
    "license_plate": "canary",
    "make": "cdcctl",
    "model": "canary",
    "year": 2026,
    "fuel_type": "electric",
    "status": "retired",
}
_PATIENCE_SECONDS = 900.0
"""A job that has just been started takes two minutes to its first batch."""
_ATTEMPTS = 5


def require_fleet(pipeline: Pipeline) -> None:
    """Raise unless the config has the table that the canary's row goes into."""
    table = next((each for each in pipeline.tables if each.name == TABLE), None)
    if table is None or tuple(table.primary_key) != ("id",):
        raise CdcctlError(
            "USE044",
            f"--verify e2e needs the table {TABLE} with the key id",
            why="the canary is a row of the fleet data that config/tables.yaml describes",
            fix="deploy without --verify e2e, and watch a row of your own: cdcctl why TABLE KEY",
            exit_code=ExitCode.USAGE,
        )


def fly_canary(
    target: Target, pipeline: Pipeline, lake: Lake, waiting: Waiting, progress: Progress
) -> StepReport:
    """Write a row into the source, time it to the lake, and delete it at the source again.

    Its key is below those that a source gives out, so that it is in nobody's way.
    """
    _require_running(target)
    schema = pipeline.source_database.schema_name
    key = -int(time.time())
    now = datetime.now(UTC)
    row = {"id": key, **_ROW, "created_at": now, "updated_at": now}
    progress.step(f"the canary: a row of {TABLE} on its way to the lake")
    _write(target, schema, Change("insert", TABLE, values=row), waiting)
    began = waiting.clock()
    try:
        _await(target, lake, key, waiting)
        seconds = waiting.clock() - began
    finally:
        _write(target, schema, Change("delete", TABLE, key), waiting)
    return StepReport("canary", "done", f"a row came to the lake in {seconds:.1f} s")


def _require_running(target: Target) -> None:
    task = dms.find_task(target.aws, target.names.replication_task)
    live = glue.live_run(target.aws, target.names.glue_job)
    still = [
        name
        for name, runs in (
            ("DMS", task is not None and task.status in dms.RUNNING),
            ("the job", live is not None),
        )
        if not runs
    ]
    if still:
        raise CdcctlError(
            "LAK081",
            f"no row would come to the lake: {' and '.join(still)} does not run",
            fix=f"cdcctl start --stack {target.stack}   then   cdcctl deploy --verify e2e",
        )


def _await(target: Target, lake: Lake, key: int, waiting: Waiting) -> None:
    def has_arrived() -> bool:
        history = lake.history(TABLE)
        found = f"SELECT 1 AS found FROM {ROWS} WHERE {where_key({'id': key})} LIMIT 1"
        return history is not None and bool(history.query(found))

    patience = min(waiting.timeout_seconds, _PATIENCE_SECONDS * waiting.scale)
    try:
        replace(waiting, timeout_seconds=patience, interval_seconds=1.0).until(
            has_arrived, bool, what="the canary", again=""
        )
    except CdcctlError as error:
        if error.exit_code != ExitCode.TIMEOUT:
            raise
        raise CdcctlError(
            "LAK080",
            f"the canary did not come to the lake within {patience:.0f} s",
            why=f"row {key} of {TABLE} was written to the source, and is deleted there again",
            fix=f"cdcctl why {TABLE} id={key} --stack {target.stack}   tells how far it came;"
            f" cdcctl status --stack {target.stack} what is wrong",
        ) from error


def _write(target: Target, schema: str, change: Change, waiting: Waiting) -> None:
    """Write between what others write: sql-runner takes what was made after the newest keys."""
    for attempt in range(1, _ATTEMPTS + 1):
        keys = write_rows(target, schema, (TABLE,), {}, [])
        try:
            write_rows(target, schema, (TABLE,), keys, [[change]])
            return
        except CdcctlError as error:
            if error.code != "AWS031":
                raise
            if attempt == _ATTEMPTS:
                raise _not_written(change, error) from error
        waiting.sleep(attempt * waiting.scale)


def _not_written(change: Change, error: CdcctlError) -> CdcctlError:
    if change.operation == "insert":
        return CdcctlError(
            "DB015",
            "the source did not take the canary's row",
            why=error.why,
            fix=error.fix,
            request_id=error.request_id,
        )
    return CdcctlError(
        "DB016",
        f"the canary's row stays in the source: id {change.key} of {TABLE}",
        why=error.why,
        fix=f"DELETE FROM {TABLE} WHERE id = {change.key};   at the source",
        request_id=error.request_id,
    )
