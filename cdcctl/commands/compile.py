"""`cdcctl compile`: the files that PostgreSQL, DMS, Kafka and the Glue catalog take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cdcctl.commands.options import DEFAULT_CONFIG, ConfigOption, OutputOption
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.compile_config import (
    CompileFormat,
    CompileReport,
    CompileRequest,
    compile_config,
)
from cdcctl.ui import compiled as view
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat

app = typer.Typer()


@app.command(
    "compile",
    epilog="Example: cdcctl compile --format ddl   prints the DDL; "
    "cdcctl compile --out build --check   fails when build/ is not current",
)
def compile_artefacts(
    what: Annotated[
        CompileFormat, typer.Option("--format", "-f", help="What to compile.")
    ] = CompileFormat.all,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the files; without it they are printed."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 when a file is not current.")
    ] = False,
    output_format: OutputOption = OutputFormat.table,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Compile tables.yaml into DDL, DMS mappings and settings, topics and catalog entries."""
    if check and out is None:
        raise typer.BadParameter("name the folder to compare with: --out DIR", param_hint="--check")
    report = compile_config(CompileRequest(config, what, out, check))
    output.write(
        view.compiled_document(report), output_format, lambda: view.show_compiled(report, check)
    )
    if check and report.stale:
        raise _not_current(report, config)


def _not_current(report: CompileReport, config: Path) -> CdcctlError:
    return CdcctlError(
        "USE007",
        f"{', '.join(report.stale)} in {report.folder} is not what {config} compiles to",
        fix=f"cdcctl compile -c {config} --out {report.folder}",
        exit_code=ExitCode.FAILED,
    )
