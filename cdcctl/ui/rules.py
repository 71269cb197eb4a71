"""Shows the catalogue of rules, transforms and metrics."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from cdcctl.operations.catalogue import (
    KINDS,
    CatalogueEntry,
    ExampleEntry,
    spell,
    spell_params,
)
from cdcctl.ui.output import Document
from cdcctl.ui.tables import Heading, show, table

_COLUMNS = ("kind", "name", "parameters", "nulls", "summary")


def document(entries: Sequence[CatalogueEntry]) -> Document:
    """Give the entries as data."""
    records = [
        {
            "kind": entry.kind,
            "name": entry.name,
            "parameters": [parameter.name for parameter in entry.parameters],
            "nulls": entry.nulls,
            "summary": entry.summary,
        }
        for entry in entries
    ]
    return Document(
        "rules/v1", [entry.as_document() for entry in entries], records, columns=_COLUMNS
    )


def show_list(entries: Sequence[CatalogueEntry]) -> None:
    """Show one line for each entry, by kind."""
    headings = [Heading("TYPE"), Heading("PARAMETERS"), Heading("", is_wide=True)]
    for kind in KINDS:
        of_kind = [entry for entry in entries if entry.kind == kind]
        rows = [
            (entry.name, ", ".join(parameter.name for parameter in entry.parameters), entry.summary)
            for entry in of_kind
        ]
        show(Text(f"{kind}s", style="bold"), table(headings, rows), "")
    show("cdcctl rules TYPE shows parameters and examples.")


def show_details(entries: Sequence[CatalogueEntry]) -> None:
    """Show entries whole."""
    for index, entry in enumerate(entries):
        if index:
            show("")
        _show_entry(entry)


def _show_entry(entry: CatalogueEntry) -> None:
    show(Text(f"{entry.kind} {entry.name}", style="bold"), entry.summary)
    if entry.details:
        show("", entry.details)
    if entry.nulls:
        verdict = "passes" if entry.nulls == "pass" else "is rejected"
        other = "fail" if entry.nulls == "pass" else "pass"
        show("", f"NULL {verdict}; `nulls: {other}` on the rule turns that.")
    if entry.parameters:
        rows = [
            (
                parameter.name,
                "required" if parameter.is_required else _default(parameter.default),
                f"{parameter.description} ({parameter.kind})",
            )
            for parameter in entry.parameters
        ]
        headings = [Heading("PARAMETER"), Heading(""), Heading("MEANING", is_wide=True)]
        show("", table(headings, rows))
    if entry.at_least_one:
        show(f"At least one of {', '.join(entry.at_least_one)} must be given.")
    show("", Text("in tables.yaml", style="bold"), f"  {entry.yaml}")
    show("", Text("examples", style="bold"))
    for example in entry.examples:
        _show_example(example)


def _default(value: object) -> str:
    return "optional" if value is None else f"default {spell(value)}"


def _show_example(example: ExampleEntry) -> None:
    show(f"  {spell_params(example.params)} on {example.of}")
    for label, values in example.shows:
        if values:
            show(f"    {label:<9}{',  '.join(map(_spell_shown, values))}")


def _spell_shown(value: object) -> str:
    match value:
        case dict():
            return spell_params(value)
        case [before, after]:
            return f"{spell(before)} -> {spell(after)}"
        case float():
            return f"{value:.6g}" if value != int(value) else spell(value)
        case _:
            return spell(value)
