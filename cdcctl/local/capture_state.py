"""What the capture remembers over restarts, and what it tells `local status`: one JSON file."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cdcctl.local.layout import write_whole
from cdcctl.local.pgoutput import Change, Delete, Insert, Update

FILE = "capture-state.json"
WRITE_SECONDS = 1.0


@dataclass
class TableState:
    """How far one table is, and what was emitted of it; re-deliveries count again."""

    is_loaded: bool = False
    load_rows: int = 0
    inserts: int = 0
    updates: int = 0
    deletes: int = 0
    problem: str = ""
    fix: str = ""


@dataclass
class CaptureState:
    """The file as an object: loads are written at once, counters once a second."""

    file: Path
    tables: dict[str, TableState] = field(default_factory=dict)
    state: str = "starting"
    problem: str = ""
    fix: str = ""
    open_transactions: int = 0
    confirmed_lsn: int = 0
    _written_at: float = 0.0

    @classmethod
    def read(cls, directory: Path) -> CaptureState:
        """Read the file of an earlier run, if there is one."""
        file = directory / FILE
        document = read_document(directory)
        tables = {name: TableState(**entry) for name, entry in document.get("tables", {}).items()}
        return cls(file=file, tables=tables)

    def table(self, name: str) -> TableState:
        """Give the state of a table."""
        return self.tables.setdefault(name, TableState())

    @property
    def is_any_loaded(self) -> bool:
        """Tell whether a full load was ever done."""
        return any(table.is_loaded for table in self.tables.values())

    def forget_loads(self) -> None:
        """Start over: a new slot does not know what the old one had delivered."""
        for table in self.tables.values():
            table.is_loaded = False
        self.write(force=True)

    def count(self, name: str, change: Change) -> None:
        """Count an emitted change."""
        table = self.table(name)
        match change:
            case Insert():
                table.inserts += 1
            case Update():
                table.updates += 1
            case Delete():
                table.deletes += 1

    def connected(self, names: Iterable[str]) -> None:
        """Note that the stream runs."""
        for name in names:
            self.table(name)
        self.state, self.problem, self.fix = "running", "", ""
        self.write(force=True)

    def interrupted(self, problem: str, fix: str) -> None:
        """Note that the stream waits for a server, or for something to be mended."""
        self.state, self.problem, self.fix = "waiting", problem, fix
        self.write(force=True)

    def stopped(self) -> None:
        """Note that the capture ended in order."""
        self.state = "stopped"
        self.write(force=True)

    def write(
        self,
        open_transactions: int | None = None,
        confirmed_lsn: int | None = None,
        force: bool = False,
    ) -> None:
        """Write the file when it is due."""
        if open_transactions is not None:
            self.open_transactions = open_transactions
        if confirmed_lsn is not None:
            self.confirmed_lsn = confirmed_lsn
        if not force and time.monotonic() - self._written_at < WRITE_SECONDS:
            return
        self._written_at = time.monotonic()
        document = {
            "state": self.state,
            "problem": self.problem,
            "fix": self.fix,
            "open_transactions": self.open_transactions,
            "confirmed_lsn": self.confirmed_lsn,
            "tables": {name: asdict(table) for name, table in self.tables.items()},
        }
        write_whole(self.file, json.dumps(document, indent=1))


def read_document(directory: Path) -> dict[str, Any]:
    """Read the file as it is; empty when there is none or it is damaged."""
    try:
        document = json.loads((directory / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
