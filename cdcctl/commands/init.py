"""`cdcctl init`: the files that a pipeline of one's own begins with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cdcctl.operations.init import InitRequest
from cdcctl.operations.init import init as make_files
from cdcctl.ui import console

app = typer.Typer()


@app.command(
    epilog="Example: cdcctl init fleet --from-db postgresql://me@db.example.com/fleet\n\n"
    "The password comes from ~/.pgpass or PGPASSWORD, never from the command line."
)
def init(
    folder: Annotated[Path, typer.Argument(help="Where to.", metavar="[DIR]")] = Path(),
    from_db: Annotated[
        str | None,
        typer.Option(
            "--from-db",
            metavar="ADDRESS",
            help="Draft from the tables of this PostgreSQL: keys, types, rules as comments.",
        ),
    ] = None,
    schema: Annotated[str, typer.Option("--schema", help="The schema to read.")] = "public",
) -> None:
    """Make config/tables.yaml, its JSON Schema and cdcctl.toml; nothing is overwritten."""
    report = make_files(InitRequest(folder, from_db, schema))
    for warning in report.warnings:
        console.warn(console.printable(warning))
    for file in report.files:
        sys.stdout.write(f"{file}\n")
    if not console.is_quiet():
        sys.stderr.write(f"next: cdcctl validate-config {report.files[0]}\n")
