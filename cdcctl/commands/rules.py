"""`cdcctl rules`: what tables.yaml may ask for."""

from __future__ import annotations

from typing import Annotated

import typer

from cdcctl.commands import completion
from cdcctl.commands.options import OutputOption
from cdcctl.operations.catalogue import catalogue, markdown
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat

app = typer.Typer()


@app.command("rules", epilog="Example: cdcctl rules range")
def rules(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A rule, transform or metric, such as range.", autocompletion=completion.kinds
        ),
    ] = None,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table of README.md.")
    ] = False,
    output_format: OutputOption = OutputFormat.table,
) -> None:
    """Show the docs and examples of each rule, transform and metric."""
    entries = catalogue(name)
    if as_markdown:
        typer.echo(markdown(entries), nl=False)
        return
    from cdcctl.ui import rules as view

    show = view.show_list if name is None else view.show_details
    output.write(view.document(entries), output_format, lambda: show(entries))
