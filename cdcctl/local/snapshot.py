"""The full load: one plain SELECT per table, some time after the slot was made."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdcctl.local.dms_message import MessageBuilder
from cdcctl.local.emitter import EmissionFailed, Emitter
from cdcctl.local.source_table import SourceTable, quote

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

ROWS_PER_FETCH = 2_000
HOLD_BEFORE_SELECT = "hold-before-select"
HOLD_AFTER_SELECT = "hold-after-select"


class LoadStopped(Exception):
    """The capture ends or starts anew; the load is done again then."""


@dataclass
class TableLoad:
    """The load of one table, in a thread of its own.

    A file `<hold>.<table>` in `control` holds it open: before its SELECT, or after the SELECT has
    its snapshot and before the first row is emitted.
    """

    table: SourceTable
    connect: Callable[[], Connection]
    builder: MessageBuilder
    emitter: Emitter
    control: Path
    stop: threading.Event
    rows: int = 0
    failure: Exception | None = None
    _outstanding: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin in the background."""
        self._thread = threading.Thread(
            target=self._run, name=f"load-{self.table.name}", daemon=True
        )
        self._thread.start()

    @property
    def is_finished(self) -> bool:
        """Tell whether every row is acknowledged, or the load failed."""
        return self._thread is not None and not self._thread.is_alive()

    def join(self, timeout_seconds: float) -> None:
        """Wait for the thread."""
        if self._thread is not None:
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        import psycopg2

        try:
            self._emit(self.builder.create_table(self.table))
            self._hold(HOLD_BEFORE_SELECT)
            with closing(self.connect()) as connection:
                for values in self._select(connection):
                    self._emit(self.builder.load(self.table, values))
                    self.rows += 1
            while self._outstanding:
                self._pause()
        except (psycopg2.Error, EmissionFailed, LoadStopped) as error:
            self.failure = error

    def _select(self, connection: Connection) -> Iterator[dict[str, str | None]]:
        names = [column.name for column in self.table.columns]
        # As text, so that a value is spelled as the log spells it; booleans become words.
        columns = ", ".join(f"{quote(name)}::text" for name in names)
        with connection.cursor(name="cdcctl_load") as cursor:
            cursor.itersize = ROWS_PER_FETCH
            cursor.execute(f"SELECT {columns} FROM ONLY {self.table.quoted_name}")
            batch = cursor.fetchmany(ROWS_PER_FETCH)
            self._hold(HOLD_AFTER_SELECT)
            while batch:
                for row in batch:
                    yield dict(zip(names, row, strict=True))
                batch = cursor.fetchmany(ROWS_PER_FETCH)

    def _emit(self, message: Any) -> None:
        with self._lock:
            self._outstanding += 1
        self.emitter.emit(message, self._acknowledge, self._pause)

    def _acknowledge(self) -> None:
        with self._lock:
            self._outstanding -= 1

    def _pause(self) -> None:
        if self.stop.is_set():
            raise LoadStopped
        self.emitter.check()
        time.sleep(0.01)

    def _hold(self, where: str) -> None:
        while (self.control / f"{where}.{self.table.table}").exists():
            self._pause()
