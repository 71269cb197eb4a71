"""`cdcctl query`: named questions and SELECTs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cdcctl.commands import completion
from cdcctl.commands.lake_options import reads_lake
from cdcctl.commands.options import (
    OutputOption,
)
from cdcctl.operations.lakes import LakeRequest
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat

app = typer.Typer()


@app.command(epilog="Example: cdcctl query late_deliveries --local")
@reads_lake
def query(
    asked: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME|SQL]",
            help="A named query, or one SELECT; none: list them.",
            autocompletion=completion.queries,
        ),
    ] = None,
    queries: Annotated[
        Path | None,
        typer.Option("--queries", help="The file of named queries.  [default: analytics.sql]"),
    ] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show personal data.")] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, help="Stop waiting for Athena after SECONDS.")
    ] = 300,
    output_format: OutputOption = OutputFormat.table,
    *,
    where: LakeRequest,
) -> None:
    """Answer a named question or a SELECT, in Athena's dialect, on Athena or on a local lake.

    Columns of the answer that show a `pii` column are masked.
    """
    from cdcctl.operations import query as operation
    from cdcctl.operations.named_queries import queries_file
    from cdcctl.ui import query as view

    file = queries_file(queries, where.config)
    if asked is None:
        known = operation.known_queries(file)
        output.write(view.queries_document(known), output_format, lambda: view.show_queries(known))
        return
    sql = operation.question(asked, file)
    report = (
        operation.query_lake(sql, where, reveal=reveal)
        if where.is_on_this_machine
        else operation.query_athena(sql, where, timeout, reveal=reveal)
    )
    output.write(view.query_document(report), output_format, lambda: view.show_query(report))
