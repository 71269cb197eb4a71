"""Machine output: one versioned envelope for JSON, records for JSON lines and CSV."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from typing import Any

from cdcctl.operations.machine_values import cell, plain
from cdcctl.ui import console


class OutputFormat(StrEnum):
    """What `-o` accepts."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


@dataclass(frozen=True)
class Document:
    """What a command found: `data` for JSON, flat `records` of it for JSON lines and CSV."""

    schema: str
    """Name and version without the tool's: `quarantine-rows/v1`."""
    data: Any
    records: Sequence[Mapping[str, Any]]
    columns: Sequence[str] = ()
    """Columns of the CSV, for the header of an empty answer; default: those of the records."""
    warnings: Sequence[str] = ()
    flat: Sequence[Mapping[str, Any]] | None = None
    """Records for CSV, where those for JSON lines are nested."""


def write(document: Document, output: OutputFormat, show: Callable[[], None]) -> None:
    """Write a document in the chosen format; `show` draws it for a person."""
    match output:
        case OutputFormat.json:
            write_json(document.schema, document.data, document.warnings)
            return
        case OutputFormat.jsonl:
            write_lines(document.records)
        case OutputFormat.csv:
            _write_csv(document)
        case OutputFormat.table:
            with console.paged():
                show()
    for warning in document.warnings:
        console.warn(warning)


def write_json(schema: str, data: Any, warnings: Sequence[str] = ()) -> None:
    """Write the envelope; its shape is shipped as `cdcctl/ui/schemas/<name>.v1.json`."""
    envelope = {"schema": f"cdcctl/{schema}", "data": data, "warnings": list(warnings)}
    sys.stdout.write(json.dumps(envelope, default=plain, ensure_ascii=False, indent=2) + "\n")


def write_lines(records: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line, each as soon as it is known."""
    for record in records:
        sys.stdout.write(json.dumps(record, default=plain, ensure_ascii=False) + "\n")
        sys.stdout.flush()


def schema_of(name: str) -> dict[str, Any]:
    """Read the JSON Schema of a document, such as `quarantine-rows/v1`."""
    source = files("cdcctl.ui") / "schemas" / f"{name.replace('/', '.')}.json"
    loaded: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    return loaded


def _write_csv(document: Document) -> None:
    import csv

    records = document.records if document.flat is None else document.flat
    columns = list(document.columns) or list(dict.fromkeys(key for row in records for key in row))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for record in records:
        writer.writerow([cell(record.get(column)) for column in columns])
