"""Screens of `cdcctl teardown`."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from cdcctl.operations.inventory import Inventory
from cdcctl.operations.teardown import Stays, TeardownReport
from cdcctl.ui import console, cost, tables
from cdcctl.ui.output import Document


def teardown_document(report: TeardownReport) -> Document:
    """Give what was removed for machines."""
    steps = [step.as_document() for step in report.steps]
    data = {
        "inventory": report.before.as_document(),
        "steps": steps,
        "kept": list(report.stays.names),
        "kept_cost": report.stays.cost.as_document(),
        "left": list(report.left),
    }
    return Document("teardown/v1", data, steps)


def show_inventory(before: Inventory, stays: Stays) -> None:
    """Draw what is there beside the progress, before the question."""
    _draw(before, stays, console.stderr())


def show_teardown(report: TeardownReport, *, dry_run: bool) -> None:
    """Draw what was done and what is left."""
    if report.before.is_empty:
        tables.show(f"nothing of {report.before.stack} is there")
        return
    if dry_run:
        _draw(report.before, report.stays, console.stdout())
        tables.show("nothing was removed (--dry-run)")
        return
    for step in report.steps:
        tables.show(f"{step.step}: {step.status}{f' ({step.detail})' if step.detail else ''}")
    for kind, text in _bill(report.stays):
        tables.show(Text(f"{kind:<10} {text}", style="yellow"))
    for each in report.left:
        tables.show(Text(f"left: {each}", style="bold red"))
    if not report.left:
        tables.show(Text("nothing else is left", style="green"))


def _bill(stays: Stays) -> Iterator[tuple[str, str]]:
    """Say what stays, and what it costs on."""
    if not stays.names:
        return
    key = ", with their key" if "keys" in stays.cost.parts else ""
    yield "bills on", f"{cost.a_month(stays.cost)} at most{key}"
    for name in stays.names:
        yield "", name


def _draw(before: Inventory, stays: Stays, out: Console) -> None:
    title = f"{before.stack}  {before.region}  account {before.account}"
    out.print(Text(title, style="bold"))
    for kind, text in _lines(before, stays):
        out.print(Text(f"  {kind:<10} {text}"))


def _lines(before: Inventory, stays: Stays) -> Iterator[tuple[str, str]]:
    def fate(name: str) -> str:
        return "stays" if name in stays.names else "goes"

    for name in before.stacks:
        yield "stack", name
    for bucket in before.buckets:
        size = f"{bucket.versions:,} versions, {bucket.size_bytes:,} bytes"
        yield "bucket", f"{bucket.name}: {size}, {fate(bucket.name)}"
    for database in before.databases:
        snapshot = fate(f"a last snapshot of {database.name}")
        what = "goes, a last snapshot stays" if snapshot == "stays" else "goes, without a snapshot"
        yield "database", f"{database.name}: {database.gigabytes} GB, {what}"
    for table in before.lake:
        history, refused = (
            "?" if count is None else f"{count:,}" for count in (table.history, table.refused)
        )
        yield "lake", f"{table.table}: {history} versions, {refused} refused rows"
    for group in before.log_groups:
        yield "log group", group
    for leftover in before.leftovers:
        yield "beside it", f"{leftover}, {fate(str(leftover))}"
    if before.cost is not None:
        yield "frees", f"{cost.a_month(before.cost)}, {cost.a_day(before.cost)}"
        for line in cost.basis(before.cost, before.region):
            yield "", line
    yield from _bill(stays)
