"""Screens of `cdcctl query`."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rich.text import Text

from cdcctl.operations.named_queries import NamedQuery
from cdcctl.operations.query import QueryReport
from cdcctl.ui import console, tables
from cdcctl.ui.output import Document
from cdcctl.ui.tables import Heading

_ENOUGH = 12
"""Characters that a longer value has at least on a line."""


def queries_document(queries: Sequence[NamedQuery]) -> Document:
    """Give the named queries for machines."""
    rows = [{"name": each.name, "about": each.about, "sql": each.sql} for each in queries]
    return Document("queries/v1", {"queries": rows}, rows, ("name", "about", "sql"))


def show_queries(queries: Sequence[NamedQuery]) -> None:
    """List the named queries."""
    if not queries:
        tables.show("the file has no named query")
        return
    headings = (Heading("NAME"), Heading("ANSWERS", is_wide=True))
    tables.show(tables.table(headings, ((each.name, each.about) for each in queries)))


def query_document(report: QueryReport) -> Document:
    """Give the answer for machines."""
    answer = {
        "sql": report.sql,
        "columns": list(report.columns),
        "rows": list(report.rows),
        "scanned_bytes": report.scanned_bytes,
    }
    return Document("query/v1", answer, report.rows, report.columns, report.warnings)


def show_query(report: QueryReport) -> None:
    """Draw the rows of the answer; where a table of them is too wide, one row below the other."""
    if not report.rows:
        tables.show("no row")
        return
    if _needed_width(report) <= console.stdout().width:
        _show_table(report)
    else:
        for number, row in enumerate(report.rows, 1):
            pairs = ((name, tables.spelled(row[name])) for name in report.columns)
            tables.show(Text(f"row {number}", style="bold"), tables.facts(pairs))
    note = f"rows: {len(report.rows)}"
    if report.masked:
        note += f", masked: {', '.join(report.masked)} (--reveal shows them)"
    if report.scanned_bytes is not None:
        note += f", scanned by Athena: {report.scanned_bytes:,} bytes"
    tables.show(Text(note, style="dim"))


def _needed_width(report: QueryReport) -> int:
    """Give the width at which every value has room, a long one over several lines."""
    widths = (
        max(len(name), *(min(len(tables.spelled(row[name])), _ENOUGH) for row in report.rows))
        for name in report.columns
    )
    return sum(width + 2 for width in widths) - 2


def _show_table(report: QueryReport) -> None:
    headings = [
        Heading(name.upper(), "right" if _is_number(report, name) else "left", is_wide=True)
        for name in report.columns
    ]
    drawn = ([tables.spelled(row[name]) for name in report.columns] for row in report.rows)
    tables.show(tables.table(headings, drawn))


def _is_number(report: QueryReport, column: str) -> bool:
    return isinstance(report.rows[0][column], (int, float, Decimal))
