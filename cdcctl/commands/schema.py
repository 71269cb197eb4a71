"""`cdcctl schema`: the JSON Schema of tables.yaml."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cdcctl.operations.config_schema import (
    DEFAULT_SCHEMA_FILE,
    check_config_schema,
    config_schema,
    reference_markdown,
    write_config_schema,
)

app = typer.Typer()


@app.command(
    "schema",
    epilog="Example: cdcctl schema --write config/tables.schema.json\n\n"
    "An editor finds it by the first line of tables.yaml: "
    "# yaml-language-server: $schema=./tables.schema.json",
)
def schema(
    write: Annotated[
        Path | None, typer.Option("--write", help="Write it to this file.", metavar="FILE")
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help=f"Write nothing; exit 1 when {DEFAULT_SCHEMA_FILE} is not current."
        ),
    ] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the reference of README.md.")
    ] = False,
) -> None:
    """Print the JSON Schema (draft-07) of tables.yaml, for editors."""
    if as_markdown:
        sys.stdout.write(reference_markdown())
    elif check:
        check_config_schema(write or DEFAULT_SCHEMA_FILE)
    elif write is not None:
        report = write_config_schema(write)
        sys.stderr.write(f"{write} {'is current' if report.was_current else 'written'}\n")
    else:
        sys.stdout.write(config_schema().text)
