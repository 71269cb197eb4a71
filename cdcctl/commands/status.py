"""`cdcctl status`: one screen that says how the pipeline is."""

from __future__ import annotations

import time
from functools import partial
from typing import Annotated

import typer

from cdcctl.commands.lake_options import reads_lake
from cdcctl.commands.options import OutputOption
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.lakes import LakeRequest
from cdcctl.ui import console, output
from cdcctl.ui.output import OutputFormat

app = typer.Typer()


@app.command(epilog="Example: cdcctl status --stack demo --watch")
@reads_lake
def status(
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")] = False,
    interval: Annotated[
        float, typer.Option("--interval", min=1, help="Seconds between two looks of --watch.")
    ] = 10.0,
    exit_status: Annotated[
        bool, typer.Option("--exit-status", help="Exit 7 when something is wrong or not told.")
    ] = False,
    output_format: OutputOption = OutputFormat.table,
    *,
    where: LakeRequest,
) -> None:
    """Show source, DMS, Kafka, Glue and every table, what is wrong, and the command that helps."""
    if where.is_on_this_machine:
        raise CdcctlError(
            "USE035",
            "this is the status of a deployed stack",
            fix="cdcctl local status   is that of the local stack",
            exit_code=ExitCode.USAGE,
        )
    from cdcctl.operations.status.report import glimpse, pipeline_status
    from cdcctl.ui import status as view

    while watch:
        seen = glimpse(where)
        if isinstance(seen, CdcctlError):
            console.warn(f"{seen.what}; looked at again in {interval:g} s")
        else:
            view.clear()
            output.write(view.status_document(seen), output_format, partial(view.show_status, seen))
        time.sleep(interval)
    report = pipeline_status(where)
    output.write(view.status_document(report), output_format, lambda: view.show_status(report))
    if exit_status and not report.is_healthy:
        raise typer.Exit(ExitCode.UNHEALTHY)
