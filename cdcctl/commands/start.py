"""`cdcctl start`: DMS and the job."""

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
    """What can be started."""

    dms = "dms"
    glue = "glue"
    all = "all"


@app.command(epilog="Example: cdcctl start glue --stack demo")
@on_stack
def start(
    part: Annotated[Part, typer.Argument(help="What to start.")] = Part.all,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, help="Stop waiting after SECONDS.")
    ] = 1800.0,
    output_format: OutputOption = OutputFormat.table,
    *,
    choice: TargetChoice,
) -> None:
    """Start DMS and the job where they stand; nothing is loaded again."""
    from cdcctl.operations import run_control
    from cdcctl.operations.waiting import Waiting
    from cdcctl.ui import deploy as view

    target, waiting = open_target(choice), Waiting(timeout)
    run_control.require_stack(target)
    steps = []
    with open_progress() as progress:
        if part is not Part.glue:
            steps.append(run_control.start_dms(target, waiting, progress))
        if part is not Part.dms:
            steps.append(run_control.start_glue(target, waiting, progress))

    output.write(view.steps_document(steps), output_format, lambda: view.show_steps(steps))
