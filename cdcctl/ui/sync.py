"""Screens of bootstrap-db, sync-topics and sync-catalog."""

from __future__ import annotations

from rich.text import Text

from cdcctl.operations.compiled_upload import SyncReport
from cdcctl.ui import tables
from cdcctl.ui.output import Document
from cdcctl.ui.tables import Heading


def sync_document(report: SyncReport) -> Document:
    """Give what was done for machines."""
    items = [item.as_document() for item in report.items]
    data = {
        "what": report.what,
        "dry_run": report.dry_run,
        "changed": report.changed,
        "items": items,
        "statements": list(report.statements),
    }
    return Document("sync/v1", data, items, ("name", "status", "detail"), report.warnings)


def show_sync(report: SyncReport, *, sql: bool = False) -> None:
    """Draw each item; with `sql` the statements alone."""
    if sql:
        tables.show("\n\n".join(report.statements) or "-- nothing is missing")
        return
    rows = ((item.name, item.status, item.detail) for item in report.items)
    headings = (Heading("NAME", is_wide=True), Heading("STATUS"), Heading("", is_wide=True))
    tables.show(tables.table(headings, rows))
    verb = "to change" if report.dry_run else "changed"
    tables.show(Text(f"{verb}: {report.changed} of {len(report.items)}", style="dim"))
