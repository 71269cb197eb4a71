"""Opens a lake and its Delta tables, and says clearly what is wrong when that fails.

A table may be written meanwhile: each query sees one version of it, whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from arro3.core import RecordBatch
from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import DeltaError, TableNotFoundError

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.lake.faults import first_line, forbidden
from cdcctl.lake.store import FolderStore, Store
from glue_job.contract.lake import METRICS_TABLE, LakePaths

Row = dict[str, Any]
ROWS = "lake_rows"
"""The name of the table in a query."""

_ATTEMPTS = 3


@dataclass(frozen=True)
class LakeTable:
    """One version of a Delta table."""

    name: str
    path: str
    _delta: DeltaTable
    _store: Store = field(default_factory=FolderStore)

    @property
    def version(self) -> int:
        """Give the version that this object reads."""
        return self._delta.version()

    @cached_property
    def columns(self) -> Mapping[str, str]:
        """Give the columns with their Delta types; a nested type is given as JSON."""
        fields = json.loads(self._delta.schema().to_json())["fields"]
        return {
            field["name"]: kind if isinstance(kind := field["type"], str) else json.dumps(kind)
            for field in fields
        }

    def query(self, sql: str, beside: Mapping[str, LakeTable] | None = None) -> list[Row]:
        """Answer a query on this version, `lake_rows` in it, and on others by their given names."""
        others = {name: other._delta for name, other in (beside or {}).items()}
        try:
            return self._answer(sql, others)
        except Exception as error:
            # The engine raises bare Exception for a data file that cannot be read. One that was
            # compacted and removed since the table was opened is not in the newest version.
            if not _is_gone(error) or not self._advance():
                raise _unreadable(self.name, self.path, error) from error
        try:
            return self._answer(sql, others)
        except Exception as error:
            raise _unreadable(self.name, self.path, error) from error

    def _answer(self, sql: str, others: Mapping[str, DeltaTable]) -> list[Row]:
        builder = QueryBuilder().register(ROWS, self._delta)
        for name, other in others.items():
            builder = builder.register(name, other)
        answer = builder.execute(sql).read_all()
        return cast(list[Row], answer.to_struct_array().to_pylist())

    def register(self, builder: QueryBuilder, name: str) -> QueryBuilder:
        """Make the table known to a query under a name."""
        return builder.register(name, self._delta)

    def stream(self, sql: str) -> Iterator[RecordBatch]:
        """Answer a query on this version batch by batch."""
        try:
            yield from QueryBuilder().register(ROWS, self._delta).execute(sql)
        except Exception as error:
            # As in `query`; what was given out already cannot be taken back.
            raise _unreadable(self.name, self.path, error) from error

    def versions_by_write(self) -> Mapping[tuple[str, int], int]:
        """Give the version that each write (application id, batch id) made, as far as the log goes.

        Delta keeps the log of a week (`delta.logRetentionDuration`).
        """
        found: dict[tuple[str, int], int] = {}
        for version, text in self._store.commits(self.path):
            for line in text.splitlines():
                if line.startswith('{"txn":'):
                    action = json.loads(line)["txn"]
                    found.setdefault((action["appId"], action["version"]), version)
        return found

    def _advance(self) -> bool:
        before = self.version
        self._delta.update_incremental()
        return self.version != before


@dataclass(frozen=True)
class Lake:
    """A lake: a folder in the layout of `LakePaths.below`, or the buckets of a stack."""

    root: Path | str
    paths: LakePaths
    store: Store = field(default_factory=FolderStore)

    def table_names(self) -> tuple[str, ...]:
        """Name the source tables that this lake holds history or refused rows of."""
        history = self.store.tables_below(self.paths.delta) - {METRICS_TABLE}
        refused = self.store.tables_below(self.paths.quarantine_root)
        return tuple(sorted(name for name in history | refused if not name.startswith("_")))

    def require_table(self, name: str) -> None:
        """Raise LAK003 when the lake holds nothing of a source table."""
        known = self.table_names()
        if name in known:
            return
        close = get_close_matches(name, known, n=1)
        raise CdcctlError(
            "LAK003",
            f"table `{name}` is not in the lake {self.root}",
            why=f"it holds: {', '.join(known)}" if known else "no batch has been written yet",
            fix=f"did you mean `{close[0]}`?" if close else "",
            exit_code=ExitCode.NOT_FOUND,
        )

    def history(self, table: str) -> LakeTable | None:
        """Open the history of a source table; None when nothing was applied yet."""
        return self.open(table, self.paths.history(table))

    def changes(self, table: str) -> LakeTable | None:
        """Open the change ledger of a source table; None when nothing was accepted yet."""
        return self.open(f"change ledger of {table}", self.paths.changes(table))

    def quarantine(self, table: str) -> LakeTable | None:
        """Open the refused rows of a source table; None when there never was one."""
        return self.open(f"quarantine of {table}", self.paths.quarantine(table))

    def metrics(self) -> LakeTable | None:
        """Open the metrics of all tables; None when none was measured yet."""
        return self.open(METRICS_TABLE, self.paths.metrics)

    def batches(self) -> LakeTable | None:
        """Open the batch log of all tables; None when no batch was written yet."""
        return self.open("batch log", self.paths.batches)

    def open(self, name: str, path: str) -> LakeTable | None:
        """Open the table at a path; None when nothing was written there yet."""
        if not self.store.has_commits(path):
            return None
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                delta = DeltaTable(path, storage_options=_as_dict(self.store.options()))
                return LakeTable(name, path, delta, self.store)
            except TableNotFoundError:
                return None
            except (DeltaError, OSError) as error:
                # A checkpoint or a clean-up of old commits may replace the log while it is listed.
                if attempt < _ATTEMPTS and _is_gone(error):
                    continue
                raise _unreadable(name, path, error) from error
        return None


def open_lake(folder: Path, *, made_by: str) -> Lake:
    """Open a lake folder; `made_by` is the command that makes one, for the error."""
    try:
        is_there = folder.is_dir()
        is_lake = is_there and ((folder / "delta").is_dir() or (folder / "quarantine").is_dir())
    except PermissionError as error:
        raise forbidden(f"the lake {folder}", error) from error
    if not is_there:
        raise CdcctlError(
            "LAK001",
            f"there is no lake at {folder}",
            why="it is a file" if folder.exists() else "the folder does not exist",
            fix=made_by,
            exit_code=ExitCode.NOT_FOUND,
        )
    if not is_lake:
        raise CdcctlError(
            "LAK002",
            f"{folder} is not a lake",
            why="it has neither a folder `delta` nor a folder `quarantine`",
            fix=made_by,
            exit_code=ExitCode.NOT_FOUND,
        )
    return Lake(folder, LakePaths.below(str(folder)))


def _as_dict(options: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if options is None else dict(options)


def _is_gone(error: Exception) -> bool:
    return any(text in str(error) for text in ("not found", "No such file"))


def _unreadable(name: str, path: str, error: Exception) -> CdcctlError:
    text = str(error)
    if "Permission denied" in text or isinstance(error, PermissionError):
        return forbidden(f"{name} ({path})", error)
    if "unsupported" in text.lower():
        return CdcctlError(
            "LAK006",
            f"{name} ({path}) uses a Delta feature that cdcctl cannot read",
            why=first_line(error),
            fix="pip install --upgrade deltalake",
        )
    return CdcctlError(
        "LAK005",
        f"{name} ({path}) is damaged",
        why=first_line(error),
        fix="restore the missing or damaged file",
    )
