"""`cdcctl history`: what a row was, from when until when."""

from __future__ import annotations

from typing import Annotated

import typer

from cdcctl.commands.confirmation import confirm
from cdcctl.commands.lake_options import reads_lake
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
from cdcctl.operations.history import HistoryRequest, show_history
from cdcctl.operations.lakes import LakeRequest
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat

app = typer.Typer(help="What a row was, from when until when.", no_args_is_help=True)


@app.callback()
def history() -> None:
    """What a row was, from when until when."""


@app.command(
    "show",
    epilog="Example: cdcctl history show vehicles 7 --local. "
    "A key of two columns: id=7,region=eu or 7,eu. A negative key: -- -7",
)
@reads_lake
def show(
    table: TableArgument,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The primary key's value.")],
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show the values of pii columns.")
    ] = False,
    output_format: OutputOption = OutputFormat.table,
    *,
    where: LakeRequest,
) -> None:
    """Show every version of one row."""
    report = show_history(HistoryRequest(where, table, key, reveal))
    from cdcctl.ui import history as view

    output.write(view.history_document(report), output_format, lambda: view.show_timeline(report))


@app.command("verify", epilog="Example: cdcctl history verify --local; one table: verify vehicles")
@reads_lake
def verify(
    table: AnyTableArgument = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="How many keys to list for each check.")
    ] = 10,
    output_format: OutputOption = OutputFormat.table,
    *,
    where: LakeRequest,
) -> None:
    """Check that the intervals of every key fit together; exit 7 when one does not."""
    from cdcctl.operations.verify import VerifyRequest, verify_history
    from cdcctl.ui import verify as view

    report = verify_history(VerifyRequest(where, table, limit))
    output.write(
        view.verify_document(report), output_format, lambda: view.show_verify(report, where.options)
    )
    if report.broken:
        raise typer.Exit(ExitCode.UNHEALTHY)


@app.command("rebuild", epilog="Example: cdcctl history rebuild vehicles --lake out/lake --dry-run")
@reads_lake
def rebuild(
    table: TableArgument,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    timeout: TimeoutOption = 3600.0,
    artifacts: ArtifactsOption = None,
    output_format: OutputOption = OutputFormat.table,
    *,
    where: LakeRequest,
) -> None:
    """Fold a table again from its change ledger under the current config."""
    from cdcctl.operations.repair import RepairRequest

    confirm(
        f"Rewrite the history of {table} from its change ledger?",
        yes=yes or dry_run,
        code="LAK060",
        what=f"rebuilding {table} needs a confirmation",
        fix=f"cdcctl history rebuild {table} ... --yes, or --dry-run to count the differences",
    )
    carry_out(
        RepairRequest(
            lake=where,
            kind="rebuild",
            table=table,
            dry_run=dry_run,
            timeout_seconds=timeout,
            artifacts=artifacts,
        ),
        output_format,
    )
