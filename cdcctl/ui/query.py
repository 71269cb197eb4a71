"""Screens of `cdcctl query`."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rich.text import Text

from cdcctl.operations.named_queries import NamedQuery
from cdcctl.operations.query import QueryReport
from cdcctl.ui import tables
from cdcctl.ui.output import Document
from cdcctl.ui.tables import Heading


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
    answer = {"sql": report.sql, "columns": list(report.columns), "rows": list(report.rows)}
    return Document("query/v1", answer, report.rows, report.columns, report.warnings)


def show_query(report: QueryReport) -> None:
    """Draw the rows of the answer."""
    if not report.rows:
        tables.show("no row")
        return
    headings = [
        Heading(name.upper(), "right" if _is_number(report, name) else "left", is_wide=True)
        for name in report.columns
    ]
    drawn = ([tables.spelled(row[name]) for name in report.columns] for row in report.rows)
    tables.show(tables.table(headings, drawn))
    note = f"rows: {len(report.rows)}"
    if report.masked:
        note += f", masked: {', '.join(report.masked)} (--reveal shows them)"
    tables.show(Text(note, style="dim"))


def _is_number(report: QueryReport, column: str) -> bool:
    return isinstance(report.rows[0][column], (int, float, Decimal))
