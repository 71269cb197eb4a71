"""Screen of `cdcctl history show`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from cdcctl.operations.history import HistoryReport, Version
from cdcctl.ui import tables
from cdcctl.ui.output import Document
from cdcctl.ui.tables import Heading, spelled


def history_document(report: HistoryReport) -> Document:
    """Give the versions of a key for machines."""
    versions = [version.as_document() for version in report.versions]
    return Document(
        "history/v1",
        {"table": report.table, "key": dict(report.key), "versions": versions},
        versions,
        warnings=report.warnings,
        flat=[_flat(version) for version in report.versions],
    )


def show_timeline(report: HistoryReport) -> None:
    """Draw the versions of a key, oldest first: when each began and what it changed."""
    key = ", ".join(f"{name}={spelled(value)}" for name, value in report.key.items())
    last = report.versions[-1]
    state = "current" if last.is_current else "deleted"
    count = len(report.versions)
    tables.show(
        Text(f"{report.table} {key}: {count} version{'s' if count > 1 else ''}, {state}", "bold")
    )
    rows: list[tuple[str, str | Text]] = []
    before: Version | None = None
    for version in report.versions:
        if before is not None and before.effective_to != version.effective_from:
            rows.append((tables.local_moment(before.effective_to), Text("deleted", style="red")))
            before = None
        rows.append(
            (tables.local_moment(version.effective_from), _change(before, version, report.key))
        )
        before = version
    if not last.is_current:
        rows.append((tables.local_moment(last.effective_to), Text("deleted", style="red")))
    tables.show(tables.table((Heading("FROM"), Heading("CHANGE", is_wide=True)), rows))


def _change(before: Version | None, version: Version, key: Mapping[str, Any]) -> Text:
    if before is None:
        values = (f"{n}={spelled(v)}" for n, v in version.values.items() if n not in key)
        return Text.assemble(("opened  ", "green"), ", ".join(values))
    changed = [
        f"{name}: {spelled(before.values[name])} → {spelled(version.values[name])}"
        for name in version.changed
    ]
    return Text("\n".join(changed) or "no value changed")


def _flat(version: Version) -> dict[str, Any]:
    return {
        "_effective_from": version.effective_from,
        "_effective_to": version.effective_to,
        "_is_current": version.is_current,
        "_ingested_at": version.ingested_at,
        **version.values,
    }
