"""`cdcctl history`: what a row was, from when until when."""

from __future__ import annotations

from typing import Annotated

import typer

from cdcctl.commands.lake_options import lake_request
from cdcctl.commands.options import (
    DEFAULT_CONFIG,
    DEFAULT_LOCAL_DIR,
    ConfigOption,
    LakeOption,
    LocalDirOption,
    LocalOption,
    OutputOption,
)
from cdcctl.operations.history import HistoryRequest, show_history
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat

app = typer.Typer(help="What a row was, from when until when.", no_args_is_help=True)


@app.callback()
def history() -> None:
    """What a row was, from when until when."""


@app.command(
    "show",
    epilog="Example: cdcctl history show vehicles 7 --local. "
    "A key of two columns: id=7,region=eu or 7,eu. A negative key: -- -7",
)
def show(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="A source table.")],
    key: Annotated[str, typer.Argument(metavar="KEY", help="The primary key's value.")],
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show the values of pii columns.")
    ] = False,
    local: LocalOption = False,
    lake: LakeOption = None,
    output_format: OutputOption = OutputFormat.table,
    config: ConfigOption = DEFAULT_CONFIG,
    local_dir: LocalDirOption = DEFAULT_LOCAL_DIR,
) -> None:
    """Show every version of one row."""
    request = lake_request(config, lake, local, local_dir)
    report = show_history(HistoryRequest(request, table, key, reveal))
    from cdcctl.ui import history as view

    output.write(view.history_document(report), output_format, lambda: view.show_timeline(report))
