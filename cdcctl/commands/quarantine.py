"""`cdcctl quarantine`: refused rows, what failed and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from cdcctl.commands.lake_options import lake_request, since_moment
from cdcctl.commands.options import (
    DEFAULT_CONFIG,
    DEFAULT_LOCAL_DIR,
    ConfigOption,
    LakeOption,
    LocalDirOption,
    LocalOption,
    OutputOption,
)
from cdcctl.operations.quarantine import (
    ShowRequest,
    StatsRequest,
    count_quarantine,
    inspect_quarantine,
    show_quarantine,
)
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat

app = typer.Typer(
    help="Refused rows: what failed and why. Personal data is masked unless --reveal.",
    no_args_is_help=True,
)

TableArgument = Annotated[str, typer.Argument(metavar="TABLE", help="A source table.")]
RevealOption = Annotated[
    bool, typer.Option("--reveal", help="Show the values of pii and masked columns.")
]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="15m, 2h, 3d or 2026-11-22T10:00:00Z."),
]


@app.command("show", epilog="Example: cdcctl quarantine show vehicle_telemetry --local --since 1h")
def show(
    table: TableArgument,
    local: LocalOption = False,
    lake: LakeOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many of the newest.")] = 20,
    rule: Annotated[str | None, typer.Option("--rule", help="Rows that fail this rule.")] = None,
    since: SinceOption = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Rows of this batch.")] = None,
    all_columns: Annotated[
        bool, typer.Option("--all-columns", help="Every column of each row.")
    ] = False,
    reveal: RevealOption = False,
    output_format: OutputOption = OutputFormat.table,
    config: ConfigOption = DEFAULT_CONFIG,
    local_dir: LocalDirOption = DEFAULT_LOCAL_DIR,
) -> None:
    """Show the newest refused rows of a table, what failed first."""
    report = show_quarantine(
        ShowRequest(
            lake_request(config, lake, local, local_dir),
            table,
            limit,
            rule,
            since_moment(since),
            batch,
            reveal,
        )
    )
    from cdcctl.ui import quarantine as view

    output.write(
        view.rows_document(report),
        output_format,
        lambda: view.show_rows(report, all_columns=all_columns, now=datetime.now(UTC)),
    )


@app.command("inspect", epilog="Example: cdcctl quarantine inspect vehicles 0:1234 --local")
def inspect(
    table: TableArgument,
    row_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="PARTITION:OFFSET or TOPIC:PARTITION:OFFSET."),
    ],
    local: LocalOption = False,
    lake: LakeOption = None,
    reveal: RevealOption = False,
    output_format: OutputOption = OutputFormat.table,
    config: ConfigOption = DEFAULT_CONFIG,
    local_dir: LocalDirOption = DEFAULT_LOCAL_DIR,
) -> None:
    """Show one refused message: every failed rule, its origin, the message itself."""
    request = lake_request(config, lake, local, local_dir)
    report = inspect_quarantine(request, table, row_id, reveal=reveal)
    from cdcctl.ui import quarantine as view

    output.write(view.row_document(report), output_format, lambda: view.show_row(report))


@app.command("stats", epilog="Example: cdcctl quarantine stats --lake out/lake --since 1d")
def stats(
    table: Annotated[
        str | None, typer.Argument(metavar="[TABLE]", help="A source table; default: all.")
    ] = None,
    local: LocalOption = False,
    lake: LakeOption = None,
    since: SinceOption = None,
    output_format: OutputOption = OutputFormat.table,
    config: ConfigOption = DEFAULT_CONFIG,
    local_dir: LocalDirOption = DEFAULT_LOCAL_DIR,
) -> None:
    """Count refused rows by table, rule and hour."""
    request = lake_request(config, lake, local, local_dir)
    report = count_quarantine(StatsRequest(request, table, since_moment(since)))
    from cdcctl.ui import quarantine as view

    output.write(
        view.stats_document(report),
        output_format,
        lambda: view.show_stats(report, now=datetime.now(UTC)),
    )
