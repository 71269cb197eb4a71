"""`cdcctl query`: named questions and SELECTs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cdcctl.commands.lake_options import lake_request
from cdcctl.commands.options import (
    DEFAULT_CONFIG,
    DEFAULT_LOCAL_DIR,
    ConfigOption,
    ExpectedAccountOption,
    LakeOption,
    LocalDirOption,
    LocalOption,
    OutputOption,
    ProfileOption,
    RegionOption,
    StackOption,
)
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat

app = typer.Typer()


@app.command(epilog="Example: cdcctl query late_deliveries --local")
def query(
    asked: Annotated[
        str | None,
        typer.Argument(metavar="[NAME|SQL]", help="A named query, or one SELECT; none: list them."),
    ] = None,
    queries: Annotated[
        Path | None,
        typer.Option("--queries", help="The file of named queries.  [default: analytics.sql]"),
    ] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show personal data.")] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, help="Stop waiting for Athena after SECONDS.")
    ] = 300,
    local: LocalOption = False,
    lake: LakeOption = None,
    stack: StackOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    expected_account: ExpectedAccountOption = None,
    output_format: OutputOption = OutputFormat.table,
    config: ConfigOption = DEFAULT_CONFIG,
    local_dir: LocalDirOption = DEFAULT_LOCAL_DIR,
) -> None:
    """Answer a named question or a SELECT, in Athena's dialect, on Athena or on a local lake.

    Columns of the answer that show a `pii` column are masked.
    """
    from cdcctl.operations import query as operation
    from cdcctl.shipped import shipped
    from cdcctl.ui import query as view

    file = queries or config.parent / "analytics.sql"
    if queries is None and not file.exists():
        file = shipped("config") / "analytics.sql"
    if asked is None:
        known = operation.known_queries(file)
        output.write(view.queries_document(known), output_format, lambda: view.show_queries(known))
        return
    sql = operation.question(asked, file)
    if local or lake is not None:
        report = operation.query_lake(
            sql, lake_request(config, lake, local, local_dir), reveal=reveal
        )
    else:
        from cdcctl.operations.configuration import load_config
        from cdcctl.operations.target import TargetChoice, open_target
        from cdcctl.operations.waiting import Waiting

        pipeline = load_config(config).pipeline
        target = open_target(TargetChoice(stack, region, profile, expected_account))
        waiting = Waiting(timeout_seconds=timeout, interval_seconds=0.5)
        report = operation.query_athena(sql, target, pipeline, waiting, reveal=reveal)
    output.write(view.query_document(report), output_format, lambda: view.show_query(report))
