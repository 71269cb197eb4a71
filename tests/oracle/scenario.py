"""Scenario folders: `batch-NN.jsonl` and what the lake must hold after them, written by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from glue_job.contract.loader import load
from glue_job.contract.model import Pipeline, Table
from tests.oracle.events import Source
from tests.oracle.values import read_value

SCENARIOS = Path(__file__).parent.parent / "scenarios" / "scd2"
TABLES = SCENARIOS / "tables.yaml"
EXPECTED_KEYS = {"case", "says", "table", "history", "quarantine", "outcomes", "arrival_matters"}

Line = Mapping[str, Any]
ComparedRow = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, eq=False)
class Scenario:
    """One folder: the batches of one table and the expected lake."""

    name: str
    case: str
    table: Table
    batches: tuple[tuple[Line, ...], ...]
    history: tuple[Mapping[str, Any], ...]
    quarantine: Mapping[tuple[int, int], tuple[str, ...]]
    outcomes: tuple[Mapping[str, int], ...]
    arrival_matters: bool
    """The one verdict that may depend on arrival, NO_SEQUENCE of a broken feed: in order only."""

    @property
    def compared_columns(self) -> tuple[str, ...]:
        """Name the data columns that the expected rows speak of."""
        named = {name for row in self.history for name in row}
        return tuple(name for name in self.table.column_names if name in named)

    @property
    def expected_rows(self) -> list[ComparedRow]:
        """Give the expected rows, typed, in a comparable form."""
        rows = [
            {
                **{name: self._typed(name, row.get(name)) for name in self.compared_columns},
                "_effective_from": row["from"],
                "_effective_to": row.get("to"),
                "_is_current": row.get("to") is None,
            }
            for row in self.history
        ]
        return comparable(rows, self.compared_columns)

    def _typed(self, name: str, value: Any) -> Any:
        """A text stands for a value of its column: YAML has no exact decimals."""
        data_type = self.table.column(name).type
        if isinstance(value, str) and data_type.name != "string":
            return read_value(value, data_type)
        if isinstance(value, int) and data_type.name == "decimal":
            return Decimal(value)
        if isinstance(value, int) and data_type.name == "double":
            return float(value)
        return value


def comparable(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> list[ComparedRow]:
    """Reduce rows to what is compared ("Equal tables"), in one order."""
    names = (*columns, "_effective_from", "_effective_to", "_is_current")
    reduced = [tuple((name, row[name]) for name in names) for row in rows]
    return sorted(reduced, key=lambda row: [_sortable(value) for _, value in row])


def _sortable(value: Any) -> tuple[str, str]:
    if isinstance(value, datetime | date):
        return ("time", value.isoformat())
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return ("number", f"{value:+060.20f}")
    return (type(value).__name__, str(value))


@cache
def scenario_pipeline() -> Pipeline:
    """Load the tables that all scenarios share."""
    return load_pipeline(TABLES)


def load_pipeline(path: Path) -> Pipeline:
    """Load a tables.yaml that is known to be right."""
    loaded = load(path.read_text(encoding="utf-8"), str(path))
    assert loaded.pipeline is not None, [finding.message for finding in loaded.findings]
    return loaded.pipeline


def source_of(table: Table, pipeline: Pipeline) -> Source:
    """Say what the judge needs of a config."""
    return Source(table, pipeline.source_database.schema_name, pipeline.settings.order)


def load_scenarios(root: Path = SCENARIOS) -> list[Scenario]:
    """Read every scenario folder, in name order."""
    return [load_scenario(path.parent) for path in sorted(root.glob("*/expected.yaml"))]


def load_scenario(folder: Path) -> Scenario:
    """Read one scenario folder."""
    expected = yaml.safe_load((folder / "expected.yaml").read_text(encoding="utf-8"))
    unknown = set(expected) - EXPECTED_KEYS
    assert not unknown, f"{folder.name}: unknown keys {sorted(unknown)}"
    batches = tuple(read_lines(path) for path in sorted(folder.glob("batch-*.jsonl")))
    outcomes = tuple(expected["outcomes"])
    assert len(batches) == len(outcomes), f"{folder.name}: outcomes of {len(batches)} batches"
    return Scenario(
        name=folder.name,
        case=expected["case"],
        table=scenario_pipeline().table(expected.get("table", "items")),
        batches=batches,
        history=tuple(expected.get("history") or ()),
        quarantine={
            _coordinate(place): tuple(reasons)
            for place, reasons in (expected.get("quarantine") or {}).items()
        },
        outcomes=outcomes,
        arrival_matters=expected.get("arrival_matters", False),
    )


def _coordinate(place: str) -> tuple[int, int]:
    partition, offset = place.split("/")
    return (int(partition), int(offset))


def read_lines(path: Path) -> tuple[Line, ...]:
    """Read a batch file."""
    return tuple(json.loads(text) for text in path.read_text(encoding="utf-8").split("\n") if text)
