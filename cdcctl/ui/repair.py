"""Screens of `quarantine replay`, `quarantine discard` and `history rebuild`."""

from __future__ import annotations

from rich.text import Text

from cdcctl.operations.repair import RepairReport
from cdcctl.ui import tables
from cdcctl.ui.output import Document
from cdcctl.ui.tables import Heading

_HEADLINES = {
    ("replay", False): "replayed {tried:,} of {table}: {passed:,} released, {refused:,} still fail",
    ("replay", True): "of {tried:,} rows of {table}, {passed:,} would pass, {refused:,} still fail",
    ("discard", False): "discarded {discarded:,} rows of {table}",
    ("discard", True): "{discarded:,} rows of {table} would be discarded",
    ("rebuild", False): "rebuilt {table}: {inserted:,} versions inserted, {updated:,} updated, "
    "{deleted:,} deleted",
    ("rebuild", True): "a rebuild of {table} would insert {inserted:,} versions, update "
    "{updated:,}, delete {deleted:,}",
}


def repair_document(report: RepairReport) -> Document:
    """Give what was done for machines."""
    data = {
        "kind": report.kind,
        "table": report.table,
        "dry_run": report.dry_run,
        "request_id": None if report.dry_run else report.request_id,
        "counts": dict(report.counts),
        "still_failing": dict(report.still_failing),
    }
    return Document("repair/v1", data, [data], warnings=report.warnings)


def show_repair(report: RepairReport) -> None:
    """Say in a line what was done, then why rows still fail."""
    counts = dict(report.counts)
    refused = counts.get("quarantined", 0)
    passed = counts.get("tried", 0) - refused
    headline = _HEADLINES[report.kind, report.dry_run]
    tables.show(headline.format(table=report.table, passed=passed, refused=refused, **counts))
    if tired := counts.get("tired"):
        tables.show(
            f"{tired:,} rows failed three times before and were left out: name them by --id"
        )
    if report.still_failing:
        rows = [
            (Text(rule), f"{count:,}")
            for rule, count in sorted(report.still_failing.items(), key=lambda each: -each[1])
        ]
        tables.show(tables.table((Heading("STILL FAILS"), Heading("ROWS", "right")), rows))
