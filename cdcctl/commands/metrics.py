"""`cdcctl metrics`: data quality metrics of each batch."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cdcctl.commands import completion
from cdcctl.commands.lake_options import reads_lake, since_moment
from cdcctl.commands.options import (
    OutputOption,
)
from cdcctl.operations.lakes import LakeRequest
from cdcctl.operations.metrics import (
    MetricsRequest,
    course_of_check,
    follow_measurements,
    latest_checks,
    newest_measurements,
)
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat

app = typer.Typer(help="Data quality metrics, as each batch measured them.", no_args_is_help=True)

TableOption = Annotated[
    str | None,
    typer.Option("--table", "-t", help="Only this table.", autocompletion=completion.tables),
]
FailedOption = Annotated[bool, typer.Option("--failed", help="Only breached thresholds.")]


@app.command("show", epilog="Example: cdcctl metrics show --local --table vehicle_telemetry")
@reads_lake
def show(
    table: TableOption = None,
    failed: FailedOption = False,
    output_format: OutputOption = OutputFormat.table,
    *,
    where: LakeRequest,
) -> None:
    """Show the latest value of each check, with its course."""
    request = MetricsRequest(where, table, failed)
    report = latest_checks(request)
    from cdcctl.ui import metrics as view

    output.write(
        view.checks_document(report),
        output_format,
        lambda: view.show_checks(report, now=datetime.now(UTC)),
    )


@app.command("tail", epilog="Example: cdcctl metrics tail --local -f --failed")
@reads_lake
def tail(
    table: TableOption = None,
    failed: FailedOption = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as batches arrive, until Ctrl-C.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many to begin with.")] = 20,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0, help="Stop following after SECONDS.")
    ] = None,
    output_format: OutputOption = OutputFormat.table,
    *,
    where: LakeRequest,
) -> None:
    """Show the newest measurements, and with -f each new one."""
    request = MetricsRequest(where, table, failed)
    from cdcctl.ui import metrics as view

    if not follow:
        report = newest_measurements(request, limit)
        output.write(
            view.measurements_document(report),
            output_format,
            lambda: view.show_measurements(report.measurements),
        )
        return
    measured = follow_measurements(request, limit, timeout)
    match output_format:
        case OutputFormat.table:
            view.show_measurements(measured)
        case OutputFormat.jsonl:
            output.write_lines(each.as_document() for each in measured)
        case _:
            raise typer.BadParameter(
                "a stream has no end to close it with; use jsonl", param_hint="--output"
            )


@app.command(
    "plot",
    epilog="Example: cdcctl metrics plot completeness vehicle_telemetry.vehicle_id --local "
    "--last 24h",
)
@reads_lake
def plot(
    metric: Annotated[
        str,
        typer.Argument(
            metavar="METRIC", help="Such as completeness.", autocompletion=completion.metrics
        ),
    ],
    check: Annotated[
        str,
        typer.Argument(
            metavar="TABLE[.COLUMN]",
            help="What it is measured on.",
            autocompletion=completion.checked,
        ),
    ],
    last: Annotated[
        str | None, typer.Option("--last", metavar="SPAN", help="Only the last 30m, 24h, 7d.")
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option("--rule", help="The check with this id, where there are several."),
    ] = None,
    png: Annotated[
        Path | None, typer.Option("--png", metavar="FILE", help="Write a picture instead.")
    ] = None,
    output_format: OutputOption = OutputFormat.table,
    *,
    where: LakeRequest,
) -> None:
    """Draw one check over time, with its threshold."""
    report = course_of_check(where, metric, check, rule, since_moment(last))
    from cdcctl.ui import plot as view

    if png is not None:
        view.save_course(report, png)
        return
    output.write(view.course_document(report), output_format, lambda: view.show_course(report))
