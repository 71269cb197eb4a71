"""`cdcctl seed`: fleet data for the source."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from cdcctl.commands.confirmation import confirm
from cdcctl.commands.options import (
    DEFAULT_CONFIG,
    DEFAULT_LOCAL_DIR,
    ConfigOption,
    LocalDirOption,
    OutputOption,
    YesOption,
)
from cdcctl.commands.stack_options import on_stack
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.configuration import load_config
from cdcctl.operations.target import TargetChoice, open_target
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat
from cdcctl.ui.progress import open_progress

app = typer.Typer()


@app.command(
    epilog="Example: cdcctl seed --local --rows 5000 --rate 200; on AWS: cdcctl seed --stack demo"
)
@on_stack
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
    protected: Annotated[
        bool,
        typer.Option("--protected", help="Refuse, as `protected = true` in cdcctl.toml does."),
    ] = False,
    yes: YesOption = False,
    local_dir: LocalDirOption = DEFAULT_LOCAL_DIR,
    output_format: OutputOption = OutputFormat.table,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    choice: TargetChoice,
) -> None:
    """Write fleet data: inserts, updates, deletes, and rows that rules refuse."""
    if not (local or choice.stack):
        raise CdcctlError(
            "USE010",
            "which source?",
            fix="add --local for the PostgreSQL of the local stack, or --stack NAME",
            exit_code=ExitCode.USAGE,
        )
    from cdcctl.local.fleet import FleetPlan
    from cdcctl.operations import run_control
    from cdcctl.operations.seed import seed_local, seed_stack
    from cdcctl.ui import local_stack as view

    plan = FleetPlan(rows=rows, rate=rate, bad_share=bad_share, seed=seed_number)
    if not local:
        if protected:
            raise CdcctlError(
                "DB014",
                f"nothing was written: the stack {choice.stack} is protected",
                why="cdcctl.toml says `protected = true` for it",
                fix="name another stack with --stack, or another section with --env",
                exit_code=ExitCode.CONFIRM,
            )
        plan = replace(plan, schema=load_config(config).pipeline.source_database.schema_name)
        target = open_target(choice)
        run_control.require_stack(target)
        confirm(
            f"Write {rows:,} made-up changes into the source of {target.stack}?",
            yes=yes,
            code="DB013",
            what="writing into the source of a stack needs a confirmation",
            fix=f"cdcctl seed --stack {target.stack} ... --yes",
        )
    with open_progress() as progress:
        report = (
            seed_local(local_dir, plan, progress) if local else seed_stack(target, plan, progress)
        )
    output.write(view.seed_document(report), output_format, lambda: view.show_seed(report))
