"""`cdcctl why`: every event of one row, and what became of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from cdcctl.commands.lake_options import reads_lake
from cdcctl.commands.options import (
    OutputOption,
    TableArgument,
)
from cdcctl.operations.lakes import LakeRequest
from cdcctl.operations.moments import moment
from cdcctl.operations.why import WhyRequest, explain
from cdcctl.ui import output
from cdcctl.ui import why as view
from cdcctl.ui.output import OutputFormat

app = typer.Typer()


@app.command(epilog="Example: cdcctl why vehicles 7 --local --at 2026-11-22T10:00:00Z")
@reads_lake
def why(
    table: TableArgument,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The primary key's value.")],
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="What the lake shows for then; 2h is 2 h ago."),
    ] = None,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show the values of pii columns.")
    ] = False,
    output_format: OutputOption = OutputFormat.table,
    *,
    where: LakeRequest,
) -> None:
    """Tell every event of a row: its outcome, and the version of the table that applied it."""
    try:
        asked = None if at is None else moment(at, datetime.now(UTC))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--at") from None
    report = explain(WhyRequest(where, table, key, asked, reveal))
    output.write(
        view.why_document(report), output_format, lambda: view.show_why(report, where.options)
    )
