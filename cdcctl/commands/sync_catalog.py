"""`cdcctl sync-catalog`: every lake table for Athena."""

from __future__ import annotations

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


@app.command(epilog="Example: cdcctl sync-catalog --stack demo")
@on_stack
def sync_catalog(
    dry_run: DryRunOption = False,
    output_format: OutputOption = OutputFormat.table,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    choice: TargetChoice,
) -> None:
    """Register history, quarantine, metrics and batch log in the Glue catalog."""
    from cdcctl.operations import catalog_sync
    from cdcctl.ui import sync as view

    loaded = load_config(config)
    report = catalog_sync.sync_catalog(open_target(choice), loaded, dry_run=dry_run)
    output.write(view.sync_document(report), output_format, lambda: view.show_sync(report))
