"""Tells from outside how each table of a running job is."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class TableStatus:
    """What the state file says of one table."""

    state: str = "starting"
    batch_id: int | None = None
    rows: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    error: str | None = None
    restarts: int = 0
    batch_at: str | None = None
    lag_messages: int | None = None
    lag_seconds: float | None = None
    problems: list[dict[str, str]] = field(default_factory=list)
    """As `Alerts.standing` gives them."""


class StateFile:
    """Tells from outside how each table is: rewritten whole after every change."""

    def __init__(self, path: Path | None, tables: tuple[str, ...]) -> None:
        """Name the file, if any; nothing is written yet."""
        self._path = path
        self._lock = threading.Lock()
        self.tables = {name: TableStatus() for name in tables}

    def change(self, table: str, **values: Any) -> None:
        """Set values of a table and write the file."""
        with self._lock:
            for name, value in values.items():
                setattr(self.tables[table], name, value)
            self._write()

    def count(self, table: str, batch_id: int, outcomes: Mapping[str, int]) -> None:
        """Add a finished batch."""
        with self._lock:
            status = self.tables[table]
            status.state, status.batch_id, status.error = "running", batch_id, None
            status.rows += sum(outcomes.values())
            for name, number in outcomes.items():
                status.outcomes[name] = status.outcomes.get(name, 0) + number
            self._write()

    def _write(self) -> None:
        if self._path is None:
            return
        draft = self._path.with_name(f"{self._path.name}.draft")
        document = {name: asdict(status) for name, status in self.tables.items()}
        draft.write_text(json.dumps(document) + "\n", encoding="utf-8")
        draft.replace(self._path)
