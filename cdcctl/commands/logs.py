"""`cdcctl logs`: what the parts of a pipeline say, merged by time."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer

from cdcctl.commands import completion
from cdcctl.commands.lake_options import since_moment
from cdcctl.commands.options import DEFAULT_LOCAL_DIR, LocalDirOption, OutputOption
from cdcctl.commands.stack_options import on_stack
from cdcctl.operations.target import TargetChoice, open_target
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat

app = typer.Typer()


@app.command(
    epilog="Example: cdcctl logs glue --stack demo --since 1h --table vehicles, "
    "or cdcctl logs job --local -f"
)
@on_stack
def logs(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="glue, dms, msk, lambda:NAME, cfn or all; locally "
            "job, capture, broker, postgres, supervisor or all.",
            autocompletion=completion.log_sources,
        ),
    ] = "all",
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="15m, 2h or 2026-11-22T10:00:00Z.")
    ] = "15m",
    grep: Annotated[
        str | None, typer.Option("--grep", metavar="PATTERN", help="Lines that match.")
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(
            "--table",
            "-t",
            help="Lines that name this table.",
            autocompletion=completion.tables,
        ),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as lines arrive, until Ctrl-C.")
    ] = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0, help="Stop following after SECONDS.")
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="What the local stack (`cdcctl local up`) logged.")
    ] = False,
    local_dir: LocalDirOption = DEFAULT_LOCAL_DIR,
    output_format: OutputOption = OutputFormat.table,
    *,
    choice: TargetChoice,
) -> None:
    """Show what the parts of a pipeline logged, merged by time; -v shows their noise too."""
    from cdcctl.operations.local_log_lines import local_readers
    from cdcctl.operations.log_lines import LogRequest, follow_logs, read_logs, stack_readers
    from cdcctl.ui import log_lines as view

    begins = since_moment(since) or datetime.now(UTC)
    is_verbose = logging.getLogger().isEnabledFor(logging.INFO)
    request = LogRequest(source, begins, grep, table, is_verbose)
    readers_of = (
        partial(local_readers, local_dir) if local else partial(stack_readers, open_target(choice))
    )
    if follow:
        if output_format not in {OutputFormat.table, OutputFormat.jsonl}:
            raise typer.BadParameter(
                "a stream has no end to close it with; use jsonl", param_hint="--output"
            )
        lines = follow_logs(readers_of, request, timeout)
        if output_format is OutputFormat.jsonl:
            output.write_lines(line.as_document() for line in lines)
        else:
            view.show_lines(lines)
        return
    found = read_logs(readers_of, request)
    output.write(view.lines_document(found), output_format, lambda: view.show_lines(found))
