"""`cdcctl stop`: DMS and the job."""

from __future__ import annotations

import typer

from cdcctl.commands.options import OutputOption
from cdcctl.commands.run_parts import Part, PartArgument, TimeoutOption, carry_out
from cdcctl.commands.stack_options import on_stack
from cdcctl.operations.target import TargetChoice
from cdcctl.ui.output import OutputFormat

app = typer.Typer()


@app.command(epilog="Example: cdcctl stop glue --stack demo")
@on_stack
def stop(
    part: PartArgument = Part.all,
    timeout: TimeoutOption = 1800.0,
    output_format: OutputOption = OutputFormat.table,
    *,
    choice: TargetChoice,
) -> None:
    """Stop the job and DMS; both go on later where they stood."""
    from cdcctl.operations import run_control

    steps = ((Part.glue, run_control.stop_glue), (Part.dms, run_control.stop_dms))
    carry_out(steps, part, choice, timeout, output_format)
