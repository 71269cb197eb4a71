"""What `start` and `stop` share: the parts of a running pipeline, one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cdcctl.operations.target import TargetChoice, open_target
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat
from cdcctl.ui.progress import Progress, open_progress

if TYPE_CHECKING:
    from cdcctl.operations.run_control import StepReport
    from cdcctl.operations.target import Target
    from cdcctl.operations.waiting import Waiting


class Part(StrEnum):
    """What can be started and stopped."""

    dms = "dms"
    glue = "glue"
    all = "all"


PartArgument = Annotated[Part, typer.Argument(help="Which part.")]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", min=0, help="Stop waiting after SECONDS.")
]
Step = Callable[["Target", "Waiting", Progress], "StepReport"]


def carry_out(
    steps: Sequence[tuple[Part, Step]],
    part: Part,
    choice: TargetChoice,
    timeout: float,
    output_format: OutputFormat,
) -> None:
    """Do the steps of a part in their order, and print what each did."""
    from cdcctl.operations.run_control import require_stack
    from cdcctl.operations.waiting import Waiting
    from cdcctl.ui import deploy as view

    target, waiting = open_target(choice), Waiting(timeout)
    require_stack(target)
    with open_progress(beats=True) as progress:
        done = [step(target, waiting, progress) for of, step in steps if part in {of, Part.all}]
    output.write(view.steps_document(done), output_format, lambda: view.show_steps(done))
