"""Screens of `cdcctl doctor`."""

from __future__ import annotations

from collections import Counter

from rich.text import Text

from cdcctl.operations.doctor.check import DoctorReport
from cdcctl.ui import tables
from cdcctl.ui.output import Document
from cdcctl.ui.tables import Heading

_MARKS = {
    "pass": Text("✔", style="green"),
    "warn": Text("▲", style="yellow"),
    "fail": Text("✖", style="bold red"),
    "unknown": Text("?", style="dim"),
}
_OFTEN = 3
"""A remedy of so many checks is said once."""


def doctor_document(report: DoctorReport) -> Document:
    """Give the checks for machines."""
    checks = [check.as_document() for check in report.checks]
    return Document("doctor/v1", {"healthy": report.is_healthy, "checks": checks}, checks)


def show_doctor(report: DoctorReport) -> None:
    """Draw each check with what was seen, and under it the remedy; one of many stands below."""
    headings = (Heading(""), Heading("CHECK"), Heading("SEEN", is_wide=True))
    rows = []
    fixes = Counter(check.fix for check in report.checks if check.fix)
    repeated = {fix: number for fix, number in fixes.items() if number >= _OFTEN}
    for check in report.checks:
        seen = Text(check.seen)
        if check.fix and check.fix not in repeated:
            seen.append(f"\n→ {check.fix}", style="bold")
        rows.append((_MARKS[check.verdict], f"{check.area}: {check.name}", seen))
    tables.show(tables.table(headings, rows))
    for fix, number in repeated.items():
        tables.show(Text(f"→ {fix}   (for {number} checks)", style="bold"))
    count = {
        verdict: sum(check.verdict == verdict for check in report.checks) for verdict in _MARKS
    }
    note = f"passed: {count['pass']}, warnings: {count['warn']}, failed: {count['fail']}"
    if count["unknown"]:
        note += f", could not look: {count['unknown']}"
    tables.show(Text(note, style="dim"))
