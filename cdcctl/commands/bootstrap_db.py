"""`cdcctl bootstrap-db`: the source's tables, as tables.yaml has them."""

from __future__ import annotations

from typing import Annotated

import typer

from cdcctl.commands.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    DryRunOption,
    OutputOption,
)
from cdcctl.commands.stack_options import on_stack
from cdcctl.operations.configuration import load_config
from cdcctl.operations.target import TargetChoice, open_target
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat

app = typer.Typer()


@app.command(epilog="Example: cdcctl bootstrap-db --stack demo --dry-run")
@on_stack
def bootstrap_db(
    allow_breaking: Annotated[
        bool,
        typer.Option(
            "--allow-breaking", help="Go on where a type or key differs; it is left as it is."
        ),
    ] = False,
    dry_run: DryRunOption = False,
    output_format: OutputOption = OutputFormat.table,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    choice: TargetChoice,
) -> None:
    """Make missing tables and columns of the source; --dry-run prints the SQL."""
    from cdcctl.operations import source_database
    from cdcctl.ui import sync as view

    loaded = load_config(config)
    report = source_database.bootstrap_db(
        open_target(choice), loaded, dry_run=dry_run, allow_breaking=allow_breaking
    )
    output.write(
        view.sync_document(report), output_format, lambda: view.show_sync(report, sql=dry_run)
    )
