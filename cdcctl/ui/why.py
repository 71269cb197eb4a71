"""Screen of `cdcctl why`."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text

from cdcctl.operations.why import Event, WhyReport
from cdcctl.ui import tables
from cdcctl.ui.output import Document
from cdcctl.ui.tables import Heading, spelled
from glue_job.contract.lake import CLOSINGS, RELEASES

_STYLES = {"applied": "green", "quarantined": "bold red", "superseded": "yellow"}


def why_document(report: WhyReport) -> Document:
    """Give every event for machines."""
    events = [event.as_document() for event in report.events]
    return Document(
        "why/v1",
        {
            "table": report.table,
            "key": dict(report.key),
            "at": report.at,
            "answer": report.answer,
            "shows": None if report.shows is None else dict(report.shows),
            "events": events,
        },
        events,
        warnings=report.warnings,
    )


def show_why(report: WhyReport, options: str) -> None:
    """Draw the answer, then every event of the key in source order."""
    key = ", ".join(f"{name}={spelled(value)}" for name, value in report.key.items())
    at = f" at {tables.local_moment(report.at)}" if report.at is not None else ""
    tables.show(Text(f"{report.table} {key}{at}: {report.answer}", style="bold"))
    if report.shows is not None:
        values = (
            f"{name}={spelled(value)}"
            for name, value in report.shows.items()
            if not name.startswith("_") and name not in report.key
        )
        since = tables.local_moment(report.shows["_effective_from"])
        until = report.shows["_effective_to"]
        ended = f" until {tables.local_moment(until)}" if until is not None else ""
        tables.show(f"since {since}{ended}: {', '.join(values)}")
    headings = (
        Heading("AT", is_wide=True),
        Heading("EVENT", is_wide=True),
        Heading("OUTCOME", is_wide=True),
        Heading("ID"),
        Heading("BATCH", "right"),
        Heading("VERSION", "right"),
    )
    tables.show(tables.table(headings, (_cells(event, report.at) for event in report.events)))
    waiting = [event for event in report.events if event.status == "open"]
    if waiting:
        place = f"{waiting[0].partition}:{waiting[0].offset}"
        tables.show(f"look: cdcctl quarantine inspect {report.table} {place}{options}")
        tables.show(
            f"mend: cdcctl quarantine replay {report.table} --id {place} --dry-run{options}"
        )


def _cells(event: Event, at: datetime | None) -> tuple[str | Text, ...]:
    is_later = at is not None and event.time is not None and event.time > at
    return (
        Text(tables.local_moment(event.time), style="dim" if is_later else ""),
        _told(event),
        _outcome(event),
        f"{event.partition}:{event.offset}",
        "" if event.batch_id is None else f"{event.batch_id:,}",
        "" if event.history_version is None else f"{event.history_version:,}",
    )


def _told(event: Event) -> str:
    other = ",".join(f"{name}={spelled(value)}" for name, value in event.linked.items())
    match event.kind:
        case "moved_out":
            return f"key became {other}"
        case "moved_in":
            return f"key was {other}"
    absent = f", without {', '.join(event.absent)}" if event.absent else ""
    return f"{event.operation or 'unreadable'}{absent}"


def _outcome(event: Event) -> Text:
    text = event.outcome
    if event.failed_rules:
        text = f"{event.status}: {', '.join(event.failed_rules)}"
    elif (event.application_id or "").startswith(RELEASES):
        text += ", released"
    elif (event.application_id or "").startswith(CLOSINGS):
        text += ", missing in a load"
    return Text(text, style=_STYLES.get(event.outcome, ""))
