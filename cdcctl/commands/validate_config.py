"""`cdcctl validate-config`: every fault of a tables.yaml, offline."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cdcctl.commands.options import DEFAULT_CONFIG
from cdcctl.errors import ExitCode
from cdcctl.operations.validate import ValidateRequest, validate_config
from cdcctl.ui import findings as view
from cdcctl.ui.findings import FindingsFormat

app = typer.Typer()


class FailLevel(StrEnum):
    """From which severity on the exit code is 3."""

    error = "error"
    warning = "warning"


@app.command(
    "validate-config",
    epilog="Example: cdcctl validate-config config/tables.yaml --format github\n\n"
    "A comment `# cdcctl: ignore CFG031` at the end of a line silences that code there. "
    "Exit code: 0, or 3 when a finding is an error.",
)
def validate(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help=f"A tables.yaml, or `-`; else {DEFAULT_CONFIG}."),
    ] = None,
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The same as FILE.", envvar="CDCCTL_CONFIG")
    ] = DEFAULT_CONFIG,
    output_format: Annotated[
        FindingsFormat | None,
        typer.Option(
            "--format", "-f", "--output", "-o", help="How findings are printed; `full` by default."
        ),
    ] = None,
    fail_level: Annotated[
        FailLevel, typer.Option("--fail-level", help="Exit 3 from this severity on.")
    ] = FailLevel.error,
    exit_zero: Annotated[
        bool, typer.Option("--exit-zero", help="Exit 0 whatever is found.")
    ] = False,
    select: Annotated[
        list[str] | None, typer.Option("--select", help="Only these codes, or all CFG02...")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", help="All but these codes.")
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Warnings are errors, no comment silences, SQL is parsed."),
    ] = False,
) -> None:
    """Check a tables.yaml, without any network: YAML, shape and meaning."""
    report = validate_config(
        ValidateRequest(file or config, tuple(select or ()), tuple(ignore or ()), strict)
    )
    view.show(report, output_format or view.usual_format())
    if report.fails(on_warning=fail_level is FailLevel.warning) and not exit_zero:
        raise typer.Exit(ExitCode.CONFIG)
