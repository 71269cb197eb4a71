"""`cdcctl demo`: the whole pipeline, here, now, with a proof at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cdcctl.commands.options import DEFAULT_CONFIG, ArtifactsOption, ConfigOption, OutputOption
from cdcctl.errors import ExitCode
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat
from cdcctl.ui.progress import open_progress

app = typer.Typer()

DEFAULT_DEMO_DIR = Path(".cdcctl/demo")


@app.command(epilog="Example: cdcctl demo")
def demo(
    config: ConfigOption = DEFAULT_CONFIG,
    directory: Annotated[
        Path, typer.Option("--dir", help="Folder of the demo; its lake stays for looking.")
    ] = DEFAULT_DEMO_DIR,
    artifacts: ArtifactsOption = None,
    rows: Annotated[
        int, typer.Option("--rows", min=1, help="Inserts, updates and deletes to write.")
    ] = 2_000,
    rate: Annotated[
        float, typer.Option("--rate", min=0.0, help="Rows a second; 0: as fast as it goes.")
    ] = 0.0,
    bad_share: Annotated[
        float,
        typer.Option("--bad-share", min=0.0, max=1.0, help="Share of rows that break a rule."),
    ] = 0.03,
    timeout_seconds: Annotated[
        float, typer.Option("--timeout", min=1.0, help="Seconds the lake may take to catch up.")
    ] = 240.0,
    output_format: OutputOption = OutputFormat.table,
) -> None:
    """Run PostgreSQL, Kafka, the capture and the job here; write rows; prove the lake's result."""
    from cdcctl.operations.demo import DemoRequest, run_demo
    from cdcctl.shipped import shipped
    from cdcctl.ui import demo as view

    if config == DEFAULT_CONFIG and not config.exists():
        config = shipped("config") / "tables.yaml"

    with open_progress() as progress:
        report = run_demo(
            DemoRequest(
                config=config,
                directory=directory,
                artifacts=artifacts,
                rows=rows,
                rate=rate,
                bad_share=bad_share,
                timeout_seconds=timeout_seconds,
            ),
            progress,
        )
    output.write(view.demo_document(report), output_format, lambda: view.show_demo(report))
    if not report.is_proved:
        raise typer.Exit(ExitCode.FAILED)
