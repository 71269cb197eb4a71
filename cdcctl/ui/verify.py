"""Screen of `cdcctl history verify`."""

from __future__ import annotations

import shlex

from rich.text import Text

from cdcctl.operations.verify import CHECKS, CheckResult, VerifyReport
from cdcctl.ui import tables
from cdcctl.ui.output import Document
from cdcctl.ui.tables import Heading, spelled

_GOOD, _BAD = "green", "bold red"


def verify_document(report: VerifyReport) -> Document:
    """Give the checks for machines."""
    results = [result.as_document() for result in report.results]
    return Document(
        "verify/v1",
        {"versions": dict(report.versions), "checks": results},
        results,
        columns=("table", "check", "meaning", "broken", "keys"),
        warnings=report.warnings,
    )


def show_verify(report: VerifyReport, options: str) -> None:
    """Draw a line a table, then the keys that break something."""
    if not report.versions:
        tables.show("no history has been written yet")
        return
    by_table: dict[str, dict[str, CheckResult]] = {}
    for result in report.results:
        by_table.setdefault(result.table, {})[result.check] = result
    headings = (
        Heading("TABLE", is_wide=True),
        Heading("VERSIONS", "right"),
        *(Heading(check) for check in CHECKS),
    )
    tables.show(
        tables.table(
            headings,
            (
                (name, f"{report.versions[name]:,}", *(_verdict(found.get(c)) for c in CHECKS))
                for name, found in by_table.items()
            ),
        )
    )
    for result in report.broken:
        tables.show("", Text(f"{result.table} {result.check}: {CHECKS[result.check]}", _BAD))
        for key in result.keys:
            tables.show("  " + ", ".join(f"{name}={spelled(v)}" for name, v in key.items()))
        if result.broken > len(result.keys):
            tables.show(f"  and {result.broken - len(result.keys):,} keys more")
    if report.broken:
        first = report.broken[0]
        named = shlex.quote(",".join(f"{name}={value}" for name, value in first.keys[0].items()))
        tables.show("", f"look: cdcctl why {first.table} {named}{options}")
        tables.show(f"mend: cdcctl history rebuild {first.table}{options}")
    else:
        legend = "; ".join(f"{check} {meaning}" for check, meaning in CHECKS.items())
        tables.show(Text(f"✔ holds: {legend}", style="dim"))


def _verdict(result: CheckResult | None) -> Text:
    if result is None:
        return Text("n/a", style="dim")
    return Text(f"{result.broken:,} keys", _BAD) if result.broken else Text("✔", _GOOD)
