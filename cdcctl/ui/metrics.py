"""Screens of `cdcctl metrics`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rich.text import Text

from cdcctl.operations.metrics import ChecksReport, Measurement, MeasurementsReport
from cdcctl.ui import tables
from cdcctl.ui.console import stdout
from cdcctl.ui.output import Document
from cdcctl.ui.tables import Heading

_COLUMNS = (
    "table",
    "metric",
    "column",
    "value",
    "threshold",
    "passed",
    "severity",
    "rule",
    "batch_id",
    "measured_at",
)


def checks_document(report: ChecksReport) -> Document:
    """Give the latest checks for machines."""
    checks = [check.as_document() for check in report.checks]
    return Document("metrics/v1", {"checks": checks}, checks, (*_COLUMNS, "trend"), report.warnings)


def measurements_document(report: MeasurementsReport) -> Document:
    """Give measurements for machines."""
    measured = [each.as_document() for each in report.measurements]
    return Document(
        "measurements/v1", {"measurements": measured}, measured, _COLUMNS, report.warnings
    )


def show_checks(report: ChecksReport, now: datetime) -> None:
    """Draw each check with its latest value and its course."""
    if not report.checks:
        tables.show("no metric matches")
        return
    headings = (
        Heading(""),
        Heading("TABLE"),
        Heading("METRIC", is_wide=True),
        Heading("VALUE", "right"),
        Heading("LIMIT", "right"),
        Heading("TREND"),
        Heading("WHEN"),
    )
    drawn = (
        (
            _verdict(check.latest),
            check.latest.table,
            _name(check.latest),
            _number(check.latest.value),
            _limit(check.latest),
            tables.sparkline(check.trend[-8:]),
            tables.ago(check.latest.measured_at, now),
        )
        for check in report.checks
    )
    tables.show(tables.table(headings, drawn))
    failed = sum(check.latest.passed is False for check in report.checks)
    tables.show(Text(f"checks: {len(report.checks)}, breached: {failed}", style="dim"))


def show_measurements(measurements: Iterable[Measurement]) -> None:
    """Print one line for each measurement, as soon as it is known."""
    console = stdout()
    for each in measurements:
        line = Text.assemble(
            (tables.local_time(each.measured_at), "dim"),
            "  ",
            _verdict(each),
            f" {each.table} #{each.batch_id}  {_name(each)} {_number(each.value)}",
            f"  (limit {_limit(each)})" if each.threshold is not None else "",
        )
        console.print(line, soft_wrap=True)
        console.file.flush()


def _verdict(measured: Measurement) -> Text:
    if measured.passed is None:
        return Text("·")
    if measured.passed:
        return Text("✔", style="green")
    return Text("✖", style="bold red" if measured.severity == "error" else "yellow")


def _name(measured: Measurement) -> str:
    of = f" {measured.column}" if measured.column else ""
    return f"{measured.metric}{of}" + (f" [{measured.rule}]" if measured.rule else "")


def _limit(measured: Measurement) -> str:
    return "" if measured.threshold is None else f"≥ {_number(measured.threshold)}"


def _number(value: float | None) -> str:
    if value is None:
        return "none"
    return f"{value:,.0f}" if value.is_integer() else f"{value:.4f}"
