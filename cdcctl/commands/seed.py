"""`cdcctl seed`: fleet data for the source."""

from __future__ import annotations

from typing import Annotated

import typer

from cdcctl.commands.options import DEFAULT_LOCAL_DIR, LocalDirOption, OutputOption
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat
from cdcctl.ui.progress import open_progress

app = typer.Typer()


@app.command(epilog="Example: cdcctl seed --local --rows 5000 --rate 200")
def seed(
    local: Annotated[
        bool, typer.Option("--local", help="Into the PostgreSQL of the local stack.")
    ] = False,
    rows: Annotated[
        int, typer.Option("--rows", min=1, help="Inserts, updates and deletes to write.")
    ] = 2_000,
    rate: Annotated[
        float, typer.Option("--rate", min=0.0, help="Rows a second; 0: as fast as it goes.")
    ] = 0.0,
    bad_share: Annotated[
        float,
        typer.Option("--bad-share", min=0.0, max=1.0, help="Share of rows that break a rule."),
    ] = 0.03,
    seed_number: Annotated[
        int, typer.Option("--seed", help="The same seed on the same tables gives the same rows.")
    ] = 1,
    local_dir: LocalDirOption = DEFAULT_LOCAL_DIR,
    output_format: OutputOption = OutputFormat.table,
) -> None:
    """Write fleet data: inserts, updates, deletes, and rows that rules refuse."""
    if not local:
        raise CdcctlError(
            "USE010",
            "which source?",
            fix="add --local for the PostgreSQL of the local stack",
            exit_code=ExitCode.USAGE,
        )
    from cdcctl.local.fleet import FleetPlan
    from cdcctl.operations.seed import seed_local
    from cdcctl.ui import local_stack as view

    plan = FleetPlan(rows=rows, rate=rate, bad_share=bad_share, seed=seed_number)
    with open_progress() as progress:
        report = seed_local(local_dir, plan, progress)
    output.write(view.seed_document(report), output_format, lambda: view.show_seed(report))
