"""Screens of `cdcctl local run`."""

from __future__ import annotations

from typing import Any

from cdcctl.operations.local_run import LocalRunReport
from cdcctl.ui import tables
from cdcctl.ui.output import Document
from cdcctl.ui.tables import Heading


def run_document(report: LocalRunReport) -> Document:
    """Give the batches for machines."""
    batches: list[dict[str, Any]] = [
        {
            "file": batch.file,
            "table": batch.table,
            "batch_id": batch.batch_id,
            "consumed": batch.consumed,
            "outcomes": dict(batch.outcomes),
        }
        for batch in report.batches
    ]
    return Document("local-run/v1", {"batches": batches}, batches)


def show_run(report: LocalRunReport) -> None:
    """Draw one line for each batch."""
    if not report.batches:
        tables.show("nothing to do: every message file was applied before")
        return
    headings = (
        Heading("FILE"),
        Heading("TABLE"),
        Heading("BATCH", "right"),
        Heading("CONSUMED", "right"),
        Heading("OUTCOMES", is_wide=True),
    )
    rows = [
        (
            batch.file,
            batch.table,
            str(batch.batch_id),
            f"{batch.consumed:,}",
            ", ".join(f"{count:,} {name}" for name, count in batch.outcomes.items() if count),
        )
        for batch in report.batches
    ]
    tables.show(tables.table(headings, rows))
