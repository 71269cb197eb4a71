"""`cdcctl plan`: what a deploy would do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cdcctl.commands.deploy_options import with_deploy_request
from cdcctl.commands.options import OutputOption
from cdcctl.errors import ExitCode
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat
from cdcctl.ui.progress import open_progress

app = typer.Typer()


@app.command(
    epilog="Example: cdcctl plan --stack demo --out demo.plan.json; without an account:"
    " cdcctl plan --offline"
)
@with_deploy_request
def plan(
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 6 when something would change.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            dir_okay=False,
            help="Keep the plan and its change set for `deploy --plan FILE`.",
        ),
    ] = None,
    offline: Annotated[
        bool,
        typer.Option("--offline", help="What a first deploy would make; AWS is not asked."),
    ] = False,
    output_format: OutputOption = OutputFormat.table,
    *,
    request: Any,
) -> None:
    """Show what a deploy would change, replacements of what holds data in red."""
    from cdcctl.operations.deploy import plan_deploy
    from cdcctl.operations.offline_plan import plan_offline
    from cdcctl.ui import deploy as view

    if offline and out is not None:
        raise typer.BadParameter(
            "a plan that is kept holds a change set, which AWS makes", param_hint="--out"
        )
    with open_progress(beats=True) as progress:
        found = (
            plan_offline(request, progress)
            if offline
            else plan_deploy(request, progress, view.say_event, out)
        )
    output.write(view.plan_document(found), output_format, lambda: view.show_plan_data(found))
    if out is not None:
        view.say_kept(out)
    if detailed_exitcode and not found.is_empty:
        raise typer.Exit(ExitCode.CHANGES)
