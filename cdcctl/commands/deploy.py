"""`cdcctl deploy`: the whole pipeline on AWS."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from cdcctl.commands.confirmation import confirm
from cdcctl.commands.deploy_options import with_deploy_request
from cdcctl.commands.interruption import killed_as_interrupted
from cdcctl.commands.options import OutputOption, YesOption
from cdcctl.commands.way_out import is_taken
from cdcctl.errors import CdcctlError
from cdcctl.operations.deploy_choice import Verify
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat

app = typer.Typer()


@app.command(
    epilog="Example: cdcctl deploy --stack demo --email ops@example.com; proof with a row:"
    " cdcctl deploy --stack demo --verify e2e"
)
@with_deploy_request
def deploy(
    detach: Annotated[
        bool,
        typer.Option("--detach", help="Come back while AWS works; run again to do the rest."),
    ] = False,
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan",
            metavar="FILE",
            dir_okay=False,
            help="Carry out what `plan --out FILE` kept, or nothing when it no longer holds.",
        ),
    ] = None,
    verify: Annotated[
        Verify,
        typer.Option(
            "--verify",
            help="e2e: also write a row into vehicles at the source (a negative id, model"
            " `canary`), time it to the lake, and delete it there again; its history stays.",
        ),
    ] = Verify.stack,
    yes: YesOption = False,
    output_format: OutputOption = OutputFormat.table,
    *,
    request: Any,
) -> None:
    """Create or update the pipeline; each step looks first, and does only what is needed.

    Ended early, it goes on from there when it is run again; what AWS has begun goes on meanwhile.
    """
    from cdcctl.operations.deploy import DeployReport, Plan, deploy_pipeline, following
    from cdcctl.operations.deploy_phases import DeployHeading
    from cdcctl.operations.stack_failure import StackFailure
    from cdcctl.ui import deploy as view
    from cdcctl.ui.deploy_watch import open_deploy_watch

    if plan is not None:
        request = following(request, plan)
    request = replace(request, detach=detach, verify=verify)
    is_stream = output_format is OutputFormat.jsonl
    place: DeployHeading | None = None

    def carry_out() -> DeployReport:
        nonlocal place
        with open_deploy_watch(view.EventLines() if is_stream else None) as watch:

            def agree(proposed: Plan) -> None:
                with watch.paused():
                    view.show_plan(proposed)
                    confirm(
                        "Carry this out?",
                        yes=yes,
                        code="CFN032",
                        what="a deploy that changes something needs a confirmation",
                        fix=f"cdcctl deploy --stack {proposed.stack} ... --yes,"
                        " or cdcctl plan to see it",
                    )

            try:
                return deploy_pipeline(request, agree, watch)
            finally:
                place = watch.heading

    def offered() -> DeployReport:
        while True:
            try:
                return carry_out()
            except StackFailure as error:
                if yes or output_format is not OutputFormat.table:
                    raise
                if not is_taken(error, request):
                    raise typer.Exit(error.exit_code) from None

    try:
        with killed_as_interrupted():
            report = offered()
    except KeyboardInterrupt:
        view.say_detached(f"cdcctl deploy --stack {request.target.stack}   attaches to it", place)
        raise
    except CdcctlError as error:
        view.summarise_failure(request.target.stack, error)
        raise
    view.summarise(report)
    if not is_stream:
        output.write(view.deploy_document(report), output_format, lambda: view.show_deploy(report))
