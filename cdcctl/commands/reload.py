"""`cdcctl reload`: tables loaded again by DMS."""

from __future__ import annotations

from typing import Annotated

import typer

from cdcctl.commands.confirmation import confirm
from cdcctl.commands.options import DEFAULT_CONFIG, ConfigOption, OutputOption, YesOption
from cdcctl.commands.stack_options import on_stack
from cdcctl.operations.configuration import load_config, require_table
from cdcctl.operations.target import TargetChoice, open_target
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat

app = typer.Typer()


@app.command(epilog="Example: cdcctl reload vehicles drivers --stack demo")
@on_stack
def reload(
    tables: Annotated[list[str], typer.Argument(metavar="TABLE...", help="Source tables.")],
    yes: YesOption = False,
    output_format: OutputOption = OutputFormat.table,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    choice: TargetChoice,
) -> None:
    """Have DMS load tables again: rows come as loads; those that are gone at the source stay."""
    from cdcctl.operations import run_control
    from cdcctl.ui import deploy as view

    pipeline = load_config(config).pipeline
    for table in tables:
        require_table(table, pipeline)
    target = open_target(choice)
    run_control.require_stack(target)
    confirm(
        f"Load {', '.join(tables)} again? Every row of them passes the pipeline once more.",
        yes=yes,
        code="DMS020",
        what="a reload needs a confirmation",
        fix=f"cdcctl reload {' '.join(tables)} ... --yes",
    )
    steps = [run_control.reload(target, pipeline.source_database.schema_name, tables)]
    output.write(view.steps_document(steps), output_format, lambda: view.show_steps(steps))
