"""Does a request in this process, on a lake folder that no other process writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cdcctl.local.job import start_spark, table_job
from glue_job.edge.lease import LakeLock
from glue_job.errors import JobError
from glue_job.requests import Answer, Request

if TYPE_CHECKING:
    from cdcctl.operations.configuration import LoadedConfig
    from cdcctl.ui.progress import Progress


@contextmanager
def owned(lake: Path, command: str) -> Iterator[LakeLock | None]:
    """Take the lake; None when another process has it."""
    lock = LakeLock(lake, command)
    try:
        lock.__enter__()
    except JobError as error:
        if error.code != "LAK040":
            raise
        yield None
        return
    try:
        yield lock
    finally:
        lock.__exit__()


def answer_here(
    lake: Path,
    config: LoadedConfig,
    artifacts: Path | None,
    request: Request,
    progress: Progress,
    lock: LakeLock | None,
) -> Answer:
    """Do a request; one that writes needs the lake to be owned, a dry run does not."""
    spark = start_spark(f"cdcctl {request.kind}", progress, artifacts, lock)
    try:
        from glue_job.repair import answer

        progress.step(f"{request.kind} of {request.table}")
        job = table_job(spark, lake, config, request.table)
        job.refuse_contradictions(rebuilds=request.kind == "rebuild")
        if not request.dry_run:
            job.open()
        return answer(job, request)
    finally:
        spark.stop()
