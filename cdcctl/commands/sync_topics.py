"""`cdcctl sync-topics`: the topics, as tables.yaml has them."""

from __future__ import annotations

from typing import Annotated

import typer

from cdcctl.commands.confirmation import confirm
from cdcctl.commands.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    DryRunOption,
    OutputOption,
    YesOption,
)
from cdcctl.commands.stack_options import on_stack
from cdcctl.operations.configuration import load_config
from cdcctl.operations.target import TargetChoice, open_target
from cdcctl.ui import output
from cdcctl.ui.output import OutputFormat

app = typer.Typer()


@app.command(epilog="Example: cdcctl sync-topics --stack demo --dry-run")
@on_stack
def sync_topics(
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove topics that no table has, with their messages.")
    ] = False,
    apply_config: Annotated[
        bool, typer.Option("--apply-config", help="Set settings right that have drifted.")
    ] = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    output_format: OutputOption = OutputFormat.table,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    choice: TargetChoice,
) -> None:
    """Make missing topics and tell what has drifted."""
    from cdcctl.operations import topic_sync
    from cdcctl.ui import sync as view

    loaded, target = load_config(config), open_target(choice)
    removed: tuple[str, ...] = ()
    if prune:
        seen = topic_sync.sync_topics(target, loaded, dry_run=True)
        removed = topic_sync.unknown_topics(seen)
    if removed:
        confirm(
            f"Remove {', '.join(removed)} and every message in them?",
            yes=yes or dry_run,
            code="KFK020",
            what=f"removing {len(removed)} topics needs a confirmation",
            fix="cdcctl sync-topics --prune --yes, or --dry-run to see them",
        )
    report = topic_sync.sync_topics(
        target,
        loaded,
        dry_run=dry_run,
        prune=removed,
        apply_config=apply_config,
    )
    output.write(view.sync_document(report), output_format, lambda: view.show_sync(report))
