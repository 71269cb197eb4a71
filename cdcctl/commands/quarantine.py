"""`cdcctl quarantine`: refused rows, what failed and why."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cdcctl.commands import completion
from cdcctl.commands.confirmation import confirm
from cdcctl.commands.lake_options import reads_lake, since_moment
from cdcctl.commands.options import (
    AnyTableArgument,
    ArtifactsOption,
    DryRunOption,
    OutputOption,
    TableArgument,
    YesOption,
)
from cdcctl.commands.repairs import TimeoutOption, carry_out
from cdcctl.errors import ExitCode
from cdcctl.operations.export import ExportFormat, ExportRequest, export_quarantine
from cdcctl.operations.lakes import LakeRequest
from cdcctl.operations.quarantine import (
    ShowRequest,
    StatsRequest,
    Status,
    count_quarantine,
    inspect_quarantine,
    show_quarantine,
)
from cdcctl.ui import console, output
from cdcctl.ui.output import OutputFormat

app = typer.Typer(
    help="Refused rows: what failed and why. Personal data is masked unless --reveal.",
    no_args_is_help=True,
)

RevealOption = Annotated[
    bool, typer.Option("--reveal", help="Show the values of pii and masked columns.")
]
RuleOption = Annotated[
    str | None,
    typer.Option("--rule", help="Rows that fail this rule.", autocompletion=completion.rules),
]
BatchOption = Annotated[int | None, typer.Option("--batch", help="Rows of this batch.")]
StatusOption = Annotated[
    Status, typer.Option("--status", help="Rows that wait, or those that were decided.")
]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="15m, 2h, 3d or 2026-11-22T10:00:00Z."),
]


@app.command("show", epilog="Example: cdcctl quarantine show vehicle_telemetry --local --since 1h")
@reads_lake
def show(
    table: TableArgument,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many of the newest.")] = 20,
    rule: RuleOption = None,
    since: SinceOption = None,
    batch: BatchOption = None,
    status: StatusOption = Status.open,
    all_columns: Annotated[
        bool, typer.Option("--all-columns", help="Every column of each row.")
    ] = False,
    reveal: RevealOption = False,
    output_format: OutputOption = OutputFormat.table,
    *,
    where: LakeRequest,
) -> None:
    """Show the newest refused rows of a table, what failed first."""
    report = show_quarantine(
        ShowRequest(
            where,
            table,
            limit,
            rule,
            since_moment(since),
            batch,
            reveal,
            status,
        )
    )
    from cdcctl.ui import quarantine as view

    output.write(
        view.rows_document(report),
        output_format,
        lambda: view.show_rows(
            report, all_columns=all_columns, now=datetime.now(UTC), options=where.options
        ),
    )


@app.command("inspect", epilog="Example: cdcctl quarantine inspect vehicles 0:1234 --local")
@reads_lake
def inspect(
    table: TableArgument,
    row_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="PARTITION:OFFSET or TOPIC:PARTITION:OFFSET."),
    ],
    reveal: RevealOption = False,
    output_format: OutputOption = OutputFormat.table,
    *,
    where: LakeRequest,
) -> None:
    """Show one refused message: every failed rule, its origin, the message itself."""
    report = inspect_quarantine(where, table, row_id, reveal=reveal)
    from cdcctl.ui import quarantine as view

    output.write(view.row_document(report), output_format, lambda: view.show_row(report))


@app.command("stats", epilog="Example: cdcctl quarantine stats --lake out/lake --since 1d")
@reads_lake
def stats(
    table: AnyTableArgument = None,
    since: SinceOption = None,
    status: StatusOption = Status.open,
    output_format: OutputOption = OutputFormat.table,
    *,
    where: LakeRequest,
) -> None:
    """Count refused rows by table, rule and hour."""
    report = count_quarantine(StatsRequest(where, table, since_moment(since), status))
    from cdcctl.ui import quarantine as view

    output.write(
        view.stats_document(report),
        output_format,
        lambda: view.show_stats(report, now=datetime.now(UTC)),
    )


@app.command(
    "export",
    epilog="Example: cdcctl quarantine export vehicles --local --to vehicles.csv. "
    "To a pipe: --to - --format json",
)
@reads_lake
def export(
    table: TableArgument,
    to: Annotated[str, typer.Option("--to", metavar="FILE", help="The file; - is stdout.")],
    file_format: Annotated[
        ExportFormat | None,
        typer.Option("--format", "-f", help="Default: as FILE ends, else csv."),
    ] = None,
    rule: RuleOption = None,
    since: SinceOption = None,
    batch: BatchOption = None,
    status: StatusOption = Status.open,
    reveal: RevealOption = False,
    *,
    where: LakeRequest,
) -> None:
    """Write refused rows to a file, raw messages included; json is one object a line."""
    target = None if to == "-" else Path(to)
    ending = target.suffix.removeprefix(".") if target is not None else ""
    known = {"csv": ExportFormat.csv, "parquet": ExportFormat.parquet}
    known |= dict.fromkeys(("json", "jsonl", "ndjson"), ExportFormat.json)
    report = export_quarantine(
        ExportRequest(
            ShowRequest(
                where,
                table,
                rule=rule,
                since=since_moment(since),
                batch=batch,
                reveal=reveal,
                status=status,
            ),
            target,
            file_format or known.get(ending.lower(), ExportFormat.csv),
        )
    )
    for warning in report.warnings:
        console.warn(warning)
    if target is not None and not console.is_quiet():
        console.stderr().print(f"{report.rows:,} rows of {table} written to {target}")


IdOption = Annotated[
    list[str] | None,
    typer.Option("--id", metavar="ID", help="One row, as `show` names it; repeatable."),
]


@app.command(
    "replay",
    epilog="Example: cdcctl quarantine replay vehicle_telemetry --rule tel_003 --local --dry-run. "
    "With a mended field: --patch speed_kmh=null",
)
@reads_lake
def replay(
    table: TableArgument,
    rule: RuleOption = None,
    since: SinceOption = None,
    ids: IdOption = None,
    patch: Annotated[
        list[str] | None,
        typer.Option(
            "--patch", metavar="COLUMN=VALUE", help="Replace a field of the message; repeatable."
        ),
    ] = None,
    most: Annotated[int | None, typer.Option("--max", min=1, help="At most so many rows.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Kept with each row.")] = "",
    dry_run: DryRunOption = False,
    timeout: TimeoutOption = 600.0,
    artifacts: ArtifactsOption = None,
    output_format: OutputOption = OutputFormat.table,
    *,
    where: LakeRequest,
) -> None:
    """Try open rows again under the current config; what passes keeps its place at the source."""
    from cdcctl.operations.repair import RepairRequest

    report = carry_out(
        RepairRequest(
            lake=where,
            kind="replay",
            table=table,
            rule=rule,
            since=since_moment(since),
            ids=tuple(ids or ()),
            patches=tuple(patch or ()),
            most=most,
            reason=reason,
            dry_run=dry_run,
            timeout_seconds=timeout,
            artifacts=artifacts,
        ),
        output_format,
    )
    if not report.counts.get("tried") and not dry_run:
        raise typer.Exit(ExitCode.NOT_FOUND)
    if report.counts.get("quarantined") and not dry_run:
        raise typer.Exit(ExitCode.PARTIAL)


@app.command(
    "discard",
    epilog="Example: cdcctl quarantine discard vehicles --rule veh_004 --reason 'test data' "
    "--local --yes",
)
@reads_lake
def discard(
    table: TableArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with each row.")],
    rule: RuleOption = None,
    since: SinceOption = None,
    ids: IdOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    timeout: TimeoutOption = 600.0,
    artifacts: ArtifactsOption = None,
    output_format: OutputOption = OutputFormat.table,
    *,
    where: LakeRequest,
) -> None:
    """Give open rows up: they stay in quarantine, and are never replayed."""
    from cdcctl.operations.repair import RepairRequest

    confirm(
        f"Give up the open rows of {table} that match?",
        yes=yes or dry_run,
        code="QUA030",
        what=f"discarding rows of {table} needs a confirmation",
        fix=f"cdcctl quarantine discard {table} ... --yes, or --dry-run to count them",
    )
    report = carry_out(
        RepairRequest(
            lake=where,
            kind="discard",
            table=table,
            rule=rule,
            since=since_moment(since),
            ids=tuple(ids or ()),
            reason=reason,
            dry_run=dry_run,
            timeout_seconds=timeout,
            artifacts=artifacts,
        ),
        output_format,
    )
    if not report.counts.get("discarded"):
        raise typer.Exit(ExitCode.NOT_FOUND)
