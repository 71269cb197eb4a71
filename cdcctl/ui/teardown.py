"""Screens of `cdcctl teardown`."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from cdcctl.operations.inventory import Inventory
from cdcctl.operations.teardown import TeardownReport
from cdcctl.ui import console, tables
from cdcctl.ui.output import Document


def teardown_document(report: TeardownReport) -> Document:
    """Give what was removed for machines."""
    steps = [step.as_document() for step in report.steps]
    data = {
        "inventory": report.before.as_document(),
        "steps": steps,
        "kept": list(report.kept),
        "left": list(report.left),
    }
    return Document("teardown/v1", data, steps)


def show_inventory(before: Inventory, kept: tuple[str, ...]) -> None:
    """Draw what is there beside the progress, before the question."""
    _draw(before, kept, console.stderr())


def show_teardown(report: TeardownReport, *, dry_run: bool) -> None:
    """Draw what was done and what is left."""
    if report.before.is_empty:
        tables.show(f"nothing of {report.before.stack} is there")
        return
    if dry_run:
        _draw(report.before, report.kept, console.stdout())
        tables.show("nothing was removed (--dry-run)")
        return
    for step in report.steps:
        tables.show(f"{step.step}: {step.status}{f' ({step.detail})' if step.detail else ''}")
    if report.kept:
        tables.show(Text(f"still bills: {', '.join(report.kept)}, and their key", style="yellow"))
    for each in report.left:
        tables.show(Text(f"left: {each}", style="bold red"))
    if not report.left:
        tables.show(Text("nothing else is left", style="green"))


def _draw(before: Inventory, kept: tuple[str, ...], out: Console) -> None:
    title = f"{before.stack}  {before.region}  account {before.account}"
    out.print(Text(title, style="bold"))
    for name in before.stacks:
        out.print(Text(f"  stack      {name}"))
    for bucket in before.buckets:
        fate = "stays" if bucket.name in kept else "goes"
        out.print(
            Text(
                f"  bucket     {bucket.name}: {bucket.versions:,} versions,"
                f" {bucket.size_bytes:,} bytes, {fate}"
            )
        )
    for database in filter(None, before.databases):
        out.print(Text(f"  database   {database}: its final snapshot bills on"))
    for table in before.lake:
        history, refused = (
            "?" if count is None else f"{count:,}" for count in (table.history, table.refused)
        )
        out.print(Text(f"  lake       {table.table}: {history} versions, {refused} refused rows"))
    for group in before.log_groups:
        out.print(Text(f"  log group  {group}"))
    for leftover in before.leftovers:
        out.print(Text(f"  beside it  {leftover}, {'stays' if str(leftover) in kept else 'goes'}"))
