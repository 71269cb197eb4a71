"""The last screen of `cdcctl demo`."""

from __future__ import annotations

from rich.text import Text

from cdcctl.commands.options import DEFAULT_CONFIG
from cdcctl.operations.demo import SHOWN_DIFFERENCES, DemoReport, TableProof
from cdcctl.ui import tables
from cdcctl.ui.output import Document
from cdcctl.ui.paths import short
from cdcctl.ui.tables import Heading


def demo_document(report: DemoReport) -> Document:
    """Give the result for machines."""
    records = [
        {
            "table": each.table,
            "source_rows": each.source_rows,
            "current_rows": each.current_rows,
            "versions": each.versions,
            "quarantined": dict(each.quarantined),
            "checks": each.checks,
            "breached": each.breached,
            "equal": each.equal,
            "held_back": each.held_back,
            "proved": each.is_proved,
            "faults": list(each.faults),
        }
        for each in report.tables
    ]
    data = {
        "proved": report.is_proved,
        "messages": report.messages,
        "seconds": round(report.seconds, 1),
        "lake": str(report.lake),
        "tables": records,
    }
    return Document("demo/v1", data, records)


def show_demo(report: DemoReport) -> None:
    """Draw a line for each table, the proof, and where to look further."""
    headings = (
        Heading("TABLE"),
        Heading("SOURCE", "right"),
        Heading("CURRENT", "right"),
        Heading("VERSIONS", "right"),
        Heading("QUARANTINED", is_wide=True),
        Heading("METRICS", "right"),
        Heading("PROOF"),
    )
    tables.show(tables.table(headings, [_line(each) for each in report.tables]), "")
    for each in report.tables:
        for fault in each.faults[:SHOWN_DIFFERENCES]:
            tables.show(Text(f"{each.table}: {fault}", style="red"))
        if len(each.faults) > SHOWN_DIFFERENCES:
            tables.show(f"{each.table}: and {len(each.faults) - SHOWN_DIFFERENCES:,} more")
    _show_proof(report)
    example = max(report.tables, key=lambda each: sum(each.quarantined.values())).table
    look = f"--lake {short(report.lake)}"
    if report.config != DEFAULT_CONFIG:
        look += f" --config {short(report.config)}"
    tables.show(
        "",
        f"lake kept in {short(report.lake)}, logs in {short(report.logs)}",
        "look further:",
        f"  cdcctl quarantine show {example} {look}",
        f"  cdcctl metrics show {look}",
        f"  cdcctl history show {example} 1 {look}",
        "  cdcctl local up     the same pipeline, to keep",
    )


def _line(each: TableProof) -> tuple[str | Text, ...]:
    rules = ", ".join(f"{rule} {count}" for rule, count in each.quarantined.items())
    breached = f", {each.breached} breached" if each.breached else ""
    proof = Text("✔", style="green") if each.is_proved else Text("✖", style="red")
    return (
        each.table,
        f"{each.source_rows:,}",
        f"{each.current_rows:,}",
        f"{each.versions:,}",
        rules or "-",
        f"{each.checks}{breached}",
        proof,
    )


def _show_proof(report: DemoReport) -> None:
    equal = sum(each.equal for each in report.tables)
    held_back = sum(each.held_back for each in report.tables)
    if not report.is_proved:
        tables.show(Text("✖ the lake is not what the source says", style="bold red"))
        return
    tables.show(
        Text.assemble(
            ("✔ source = lake", "bold green"),
            f": {equal:,} current rows equal their source row after the table's transforms.",
        )
    )
    if held_back:
        tables.show(
            f"  {held_back:,} source rows break a rule now: each is in quarantine, and the lake",
            "  keeps the version before it, if there was one.",
        )
    tables.show(
        f"  {report.messages:,} messages, every offset accounted for, {report.seconds:.0f} s in all"
    )
