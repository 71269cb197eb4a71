"""`cdcctl local`: the pipeline on this machine."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cdcctl.commands.confirmation import confirm
from cdcctl.commands.consent_options import (
    AcceptLostOption,
    AllowQuarantineOption,
    RetakeOption,
    consent_of,
)
from cdcctl.commands.options import (
    DEFAULT_CONFIG,
    DEFAULT_LOCAL_DIR,
    ArtifactsOption,
    ConfigOption,
    LocalDirOption,
    OutputOption,
    YesOption,
)
from cdcctl.errors import ExitCode
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat
from cdcctl.ui.progress import open_progress

app = typer.Typer(
    help="The pipeline on this machine: PostgreSQL, Kafka, a capture, the job, Delta Lake.",
    no_args_is_help=True,
)


class Deletes(StrEnum):
    """What a delete message holds beside its key."""

    nulls = "nulls"
    keys_only = "keys-only"


class UnchangedToast(StrEnum):
    """How a large value that an update left alone is spelled."""

    absent = "absent"
    null = "null"


class Booleans(StrEnum):
    """How booleans are spelled: true/false, t/f, or as seen from DMS (load words, log letters)."""

    mixed = "mixed"
    words = "words"
    letters = "letters"


@app.command("up", epilog="Example: cdcctl local up, then cdcctl seed --local")
def up(
    config: ConfigOption = DEFAULT_CONFIG,
    local_dir: LocalDirOption = DEFAULT_LOCAL_DIR,
    artifacts: ArtifactsOption = None,
    postgres_port: Annotated[
        int, typer.Option("--postgres-port", min=0, max=65535, help="0: a free one.")
    ] = 0,
    kafka_port: Annotated[
        int, typer.Option("--kafka-port", min=0, max=65535, help="0: a free one.")
    ] = 0,
    trigger_seconds: Annotated[
        float, typer.Option("--trigger-seconds", min=0.0, help="How often the job takes a batch.")
    ] = 2.0,
    allow_quarantine: AllowQuarantineOption = None,
    accept_lost_offsets: AcceptLostOption = None,
    retake: RetakeOption = None,
    without_job: Annotated[
        bool, typer.Option("--without-job", help="Stop at Kafka: no Glue job.")
    ] = False,
    deletes: Annotated[
        Deletes, typer.Option("--dms-deletes", help="What a delete holds beside its key.")
    ] = Deletes.nulls,
    unchanged_toast: Annotated[
        UnchangedToast, typer.Option("--dms-unchanged-toast", help="Large values left alone.")
    ] = UnchangedToast.absent,
    booleans: Annotated[
        Booleans, typer.Option("--dms-booleans", help="How booleans are spelled.")
    ] = Booleans.mixed,
    clock_offset: Annotated[
        float, typer.Option("--dms-clock-offset", help="Seconds the capture's clock is ahead.")
    ] = 0.0,
    output_format: OutputOption = OutputFormat.table,
) -> None:
    """Start the stack in the background, or attach to the one that is up."""
    from cdcctl.operations.local_stack import UpRequest, start_stack

    capture_options = (
        *("--deletes", deletes.value),
        *("--unchanged-toast", unchanged_toast.value),
        *("--booleans", booleans.value),
        *("--dms-clock-offset", str(clock_offset)),
    )
    with open_progress() as progress:
        report = start_stack(
            UpRequest(
                config=config,
                directory=local_dir,
                artifacts=artifacts,
                postgres_port=postgres_port,
                kafka_port=kafka_port,
                trigger_seconds=trigger_seconds,
                capture_options=capture_options,
                with_job=not without_job,
                consent=consent_of(allow_quarantine, accept_lost_offsets, retake),
            ),
            progress,
        )
    from cdcctl.ui import local_stack as view

    output.write(view.status_document(report), output_format, lambda: view.show_up(report))


@app.command("down", epilog="Example: cdcctl local down")
def down(
    local_dir: LocalDirOption = DEFAULT_LOCAL_DIR,
    output_format: OutputOption = OutputFormat.table,
) -> None:
    """Stop the stack; its data stays."""
    from cdcctl.operations.local_stack import stop_stack
    from cdcctl.ui import local_stack as view

    with open_progress() as progress:
        was_up = stop_stack(local_dir, progress)
    output.write(view.down_document(was_up), output_format, lambda: view.show_down(was_up))


@app.command("status", epilog="Example: cdcctl local status -o json")
def status(
    local_dir: LocalDirOption = DEFAULT_LOCAL_DIR,
    exit_status: Annotated[
        bool, typer.Option("--exit-status", help="Exit 7 when a process or a table is not well.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also what the capture cannot do as DMS does.")
    ] = False,
    output_format: OutputOption = OutputFormat.table,
) -> None:
    """Show processes and addresses, each table's lag, and what is wrong with its command."""
    from cdcctl.operations.local_stack import stack_status
    from cdcctl.ui import local_stack as view

    report = stack_status(local_dir)
    output.write(
        view.status_document(report),
        output_format,
        lambda: view.show_status(report, with_limits=verbose),
    )
    if exit_status and (report.problems or not report.is_healthy):
        raise typer.Exit(ExitCode.UNHEALTHY)


@app.command("reset", epilog="Example: cdcctl local reset --yes")
def reset(
    local_dir: LocalDirOption = DEFAULT_LOCAL_DIR,
    yes: YesOption = False,
) -> None:
    """Stop the stack and remove its data: database, topics, lake, checkpoints."""
    from cdcctl.local.layout import StackDirectory
    from cdcctl.operations.local_stack import reset_stack

    stack = StackDirectory.resolve(local_dir)
    confirm(
        f"Remove all data in {stack.root}?",
        yes=yes or not stack.is_stack,
        code="LOC059",
        what=f"removing the data in {stack.root} needs a confirmation",
        fix="cdcctl local reset --yes",
    )
    with open_progress() as progress:
        removed = reset_stack(local_dir, progress)
    from cdcctl.ui import local_stack as view

    view.show_reset(removed)


@app.command(
    "run",
    epilog="Example: cdcctl local run --config tables.yaml --messages messages --lake lake",
)
def run(
    messages: Annotated[
        Path, typer.Option("--messages", help="Folder of *.jsonl files; each is a micro-batch.")
    ],
    lake: Annotated[Path, typer.Option("--lake", help="Folder of the lake to write.")],
    config: ConfigOption = DEFAULT_CONFIG,
    artifacts: ArtifactsOption = None,
    allow_quarantine: AllowQuarantineOption = None,
    retake: RetakeOption = None,
    output_format: OutputOption = OutputFormat.table,
) -> None:
    """Hand message files to the job, in name order; run again it goes on after the last."""
    from cdcctl.operations.local_run import LocalRunRequest, run_messages
    from cdcctl.ui import local_run as view

    with open_progress() as progress:
        report = run_messages(
            LocalRunRequest(
                config=config,
                messages=messages,
                lake=lake,
                artifacts=artifacts,
                consent=consent_of(allow_quarantine, None, retake),
            ),
            progress,
        )
    output.write(view.run_document(report), output_format, lambda: view.show_run(report))
