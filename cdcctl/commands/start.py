"""`cdcctl start`: DMS and the job."""

from __future__ import annotations

from functools import partial

import typer

from cdcctl.commands.consent_options import (
    AcceptLostOption,
    AllowQuarantineOption,
    RetakeOption,
    consent_of,
)
from cdcctl.commands.options import OutputOption
from cdcctl.commands.run_parts import Part, PartArgument, TimeoutOption, carry_out
from cdcctl.commands.stack_options import on_stack
from cdcctl.operations.target import TargetChoice
from cdcctl.ui.output import OutputFormat

app = typer.Typer()


@app.command(
    epilog="Example: cdcctl start glue --stack demo, "
    "or for a table that has stopped: cdcctl start glue --allow-quarantine vehicles"
)
@on_stack
def start(
    part: PartArgument = Part.all,
    allow_quarantine: AllowQuarantineOption = None,
    accept_lost_offsets: AcceptLostOption = None,
    retake: RetakeOption = None,
    timeout: TimeoutOption = 1800.0,
    output_format: OutputOption = OutputFormat.table,
    *,
    choice: TargetChoice,
) -> None:
    """Start DMS and the job where they stand; nothing is loaded again."""
    from cdcctl.operations import run_control

    consent = consent_of(allow_quarantine, accept_lost_offsets, retake)
    wanted = dict(option.split("=", 1) for option in consent.as_options())
    start_glue = partial(run_control.start_glue, wanted=wanted)
    steps = ((Part.dms, run_control.start_dms), (Part.glue, start_glue))
    carry_out(steps, part, choice, timeout, output_format)
