"""`cdcctl stop`: DMS and the job."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cdcctl.commands.options import OutputOption
from cdcctl.commands.stack_options import on_stack
from cdcctl.operations.target import TargetChoice, open_target
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat
from cdcctl.ui.progress import open_progress

app = typer.Typer()


class Part(StrEnum):
    """What can be stopped."""

    dms = "dms"
    glue = "glue"
    all = "all"


@app.command(epilog="Example: cdcctl stop glue --stack demo")
@on_stack
def stop(
    part: Annotated[Part, typer.Argument(help="What to stop.")] = Part.all,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, help="Stop waiting after SECONDS.")
    ] = 1800.0,
    output_format: OutputOption = OutputFormat.table,
    *,
    choice: TargetChoice,
) -> None:
    """Stop the job and DMS; both go on later where they stood."""
    from cdcctl.operations import run_control
    from cdcctl.operations.waiting import Waiting
    from cdcctl.ui import deploy as view

    target, waiting = open_target(choice), Waiting(timeout)
    run_control.require_stack(target)
    steps = []
    with open_progress() as progress:
        if part is not Part.dms:
            steps.append(run_control.stop_glue(target, waiting, progress))
        if part is not Part.glue:
            steps.append(run_control.stop_dms(target, waiting, progress))

    output.write(view.steps_document(steps), output_format, lambda: view.show_steps(steps))
