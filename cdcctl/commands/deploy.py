"""`cdcctl deploy`: the whole pipeline on AWS."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from cdcctl.commands.confirmation import confirm
from cdcctl.commands.deploy_options import with_deploy_request
from cdcctl.commands.options import OutputOption, YesOption
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat

app = typer.Typer()


@app.command(epilog="Example: cdcctl deploy --stack demo --email ops@example.com")
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
    yes: YesOption = False,
    output_format: OutputOption = OutputFormat.table,
    *,
    request: Any,
) -> None:
    """Create or update the pipeline; each step looks first, and does only what is needed.

    Ended early, it goes on from there when it is run again; what AWS has begun goes on meanwhile.
    """
    from cdcctl.operations.deploy import Plan, deploy_pipeline, following
    from cdcctl.ui import deploy as view
    from cdcctl.ui.deploy_watch import open_deploy_watch

    if plan is not None:
        request = following(request, plan)
    is_stream = output_format is OutputFormat.jsonl
    try:
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

            report = deploy_pipeline(replace(request, detach=detach), agree, watch)
    except KeyboardInterrupt:
        view.say_detached(f"cdcctl deploy --stack {request.target.stack}   attaches to it")
        raise
    if not is_stream:
        output.write(view.deploy_document(report), output_format, lambda: view.show_deploy(report))
