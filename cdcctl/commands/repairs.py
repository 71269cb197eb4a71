"""What `quarantine replay`, `quarantine discard` and `history rebuild` share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat
from cdcctl.ui.progress import open_progress

if TYPE_CHECKING:
    from cdcctl.operations.repair import RepairReport, RepairRequest

TimeoutOption = Annotated[
    float, typer.Option("--timeout", help="Seconds to wait for a running job's answer.")
]


def carry_out(request: RepairRequest, output_format: OutputFormat) -> RepairReport:
    """Do what is asked, with progress, and print what was done."""
    from cdcctl.operations.repair import repair
    from cdcctl.ui import repair as view

    with open_progress() as progress:
        report = repair(request, progress)
    output.write(view.repair_document(report), output_format, lambda: view.show_repair(report))
    return report
