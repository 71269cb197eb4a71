"""The capture process: does between PostgreSQL and Kafka what AWS DMS does, its races included.

The slot is made first, each table is read by one plain SELECT later, and what was committed
meanwhile is kept back and emitted after that table's load. Delivery is at least once: after a
restart the log is read again from the last commit whose every record is acknowledged, with the same
positions and later emission times.

What DMS does and this process does not: LIMITS.
"""

from __future__ import annotations

import argparse
import logging
import select
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2

from cdcctl.local.broker import sasl_settings
from cdcctl.local.capture_state import CaptureState
from cdcctl.local.dms_json import BooleanSpelling
from cdcctl.local.dms_message import (
    ChangePosition,
    EmissionClock,
    KafkaMessage,
    MessageBuilder,
    MessageSettings,
)
from cdcctl.local.emitter import EmissionFailed, Emitter, connect
from cdcctl.local.flush import FlushPosition, Transaction
from cdcctl.local.pgoutput import Begin, Change, Commit, Decoder, Delete, Insert, Truncate, Update
from cdcctl.local.postgres import SESSION_OPTIONS
from cdcctl.local.slot import ensure_publication, ensure_slot, start_stream
from cdcctl.local.snapshot import TableLoad
from cdcctl.local.source_table import (
    SourceTable,
    SourceTableMissing,
    TypeCatalog,
    describe,
    describe_table,
)

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

log = logging.getLogger("capture")

LIMITS = (
    "LOB columns are delivered whole: DMS cuts them at LobMaxSize and looks up their values again",
    "DMS's caching and timing are not imitated: its ParallelApply threads, its swap files",
    "a restart begins at a commit: DMS may resume in the middle of a transaction",
    "DDL gives no control records, as with CaptureDdls=false",
    "what DMS writes for TRUNCATE is not documented; here it is a control record truncate-table",
)
"""What this capture cannot reproduce of DMS."""

PARALLEL_LOADS = 4
FEEDBACK_SECONDS = 1.0
LOOK_SECONDS = 2.0
"""Between two looks at the source's tables."""
MAX_BACKOFF_SECONDS = 10.0
RELOAD = "reload"


@dataclass(frozen=True)
class CaptureSettings:
    """What one capture needs to know."""

    postgres: Mapping[str, Any]
    kafka: Mapping[str, Any]
    topics: Mapping[str, str]
    """`schema.table` -> topic."""
    directory: Path
    messages: MessageSettings = field(default_factory=MessageSettings)
    clock_offset: timedelta = timedelta()
    slot: str = "cdcctl_capture"

    @property
    def control(self) -> Path:
        """Hold files that ask for something: `reload.<table>`, `hold-after-select.<table>`."""
        return self.directory / "control"


@dataclass(frozen=True)
class _Delayed:
    """A change of a table that is being loaded."""

    change: Change
    position: ChangePosition
    transaction: Transaction


@dataclass
class _Session:
    """What lives between a connection and its loss."""

    emitter: Emitter
    tables: dict[str, SourceTable]
    flush: FlushPosition = field(default_factory=FlushPosition)
    loads: dict[str, TableLoad] = field(default_factory=dict)
    delayed: dict[str, list[_Delayed]] = field(default_factory=dict)
    """Per table that is not loaded yet; a table that is not here flows."""
    stop_loads: threading.Event = field(default_factory=threading.Event)
    stream: Any = None
    transaction: Transaction | None = None
    begin: Begin | None = None
    ordinal: int = 0
    previous: tuple[int, int] | None = None
    received: int = 0
    feedback_due: float = 0.0
    look_due: float = 0.0


class _Stopping(Exception):
    """The process was asked to end."""


class Capture:
    """Keeps one stream alive: connects, loads, follows the log, starts over when a part dies."""

    def __init__(self, settings: CaptureSettings) -> None:
        self._settings = settings
        self._state = CaptureState.read(settings.directory)
        self._clock = EmissionClock(settings.clock_offset)
        self._builder = MessageBuilder(settings.messages, self._clock)
        self._stop = threading.Event()

    def stop(self) -> None:
        """Ask the capture to end after what it has sent is acknowledged."""
        self._stop.set()

    def run(self) -> None:
        """Follow the log until asked to stop; a lost server or broker is waited for."""
        backoff = 0.5
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                self._run_session()
            except _Stopping:
                break
            except (psycopg2.Error, EmissionFailed, SourceTableMissing) as error:
                reason = " ".join(str(error).split()) or repr(error)
                log.warning("interrupted, starts again in %.1f s: %s", backoff, reason)
                self._state.interrupted(
                    reason, error.fix if isinstance(error, SourceTableMissing) else ""
                )
            if time.monotonic() - started > 60:
                backoff = 0.5
            self._stop.wait(backoff)
            backoff = min(backoff * 2, MAX_BACKOFF_SECONDS)
        self._state.stopped()

    def _run_session(self) -> None:
        session = self._open()
        try:
            self._follow(session)
        finally:
            session.stop_loads.set()
            if self._stop.is_set():
                with suppress(EmissionFailed, psycopg2.Error):
                    session.emitter.flush(5)
                    self._send_feedback(session)
            for load in session.loads.values():
                load.join(5)
            session.emitter.close()
            if session.stream is not None:
                with suppress(psycopg2.Error):
                    session.stream.connection.close()

    def _open(self) -> _Session:
        settings = self._settings
        connection = self._connect()
        try:
            connection.autocommit = True
            tables = describe(connection, settings.topics)
            ensure_publication(connection, settings.slot, tables.values())
            if ensure_slot(connection, settings.slot):
                if self._state.is_any_loaded:
                    log.warning("the replication slot was lost: every table is loaded again")
                self._state.forget_loads()
        finally:
            connection.close()
        emitter = connect(settings.kafka, patience_seconds=60)
        session = _Session(emitter, tables)
        try:
            session.stream = start_stream(dict(settings.postgres), settings.slot, settings.slot)
        except BaseException:
            emitter.close()
            raise
        for name in tables:
            if not self._state.table(name).is_loaded:
                session.delayed[name] = []
        self._state.connected(tables)
        log.info("follows %d tables from slot %s", len(tables), settings.slot)
        return session

    def _connect(self) -> Connection:
        return psycopg2.connect(**self._settings.postgres)

    def _follow(self, session: _Session) -> None:
        decoder = Decoder()
        stream = session.stream
        while True:
            self._housekeeping(session)
            message = stream.read_message()
            if message is None:
                # The server has sent all it had: what it has read is at or past every change.
                if session.transaction is None:
                    session.received = max(session.received, stream.wal_end)
                select.select([stream], [], [], 0.05)
                continue
            self._handle(session, decoder.decode(message.payload), message.data_start)

    def _housekeeping(self, session: _Session) -> None:
        if self._stop.is_set():
            raise _Stopping
        session.emitter.check()
        if time.monotonic() < session.feedback_due:
            return
        session.feedback_due = time.monotonic() + min(FEEDBACK_SECONDS, 0.2)
        self._send_feedback(session)
        self._take_reload_requests(session)
        self._advance_loads(session)
        self._look_at_tables(session)
        self._state.write(session.flush.open_transactions, session.flush.confirmed())

    def _look_at_tables(self, session: _Session) -> None:
        """Note what at the source keeps a table from being captured after a restart."""
        if time.monotonic() < session.look_due:
            return
        session.look_due = time.monotonic() + LOOK_SECONDS
        # A source that does not answer is noticed by the stream.
        with suppress(psycopg2.Error), closing(self._connect()) as connection:
            types = TypeCatalog(connection)
            for name, table in session.tables.items():
                state = self._state.table(name)
                try:
                    describe_table(connection, types, name, table.topic, table.primary_key)
                except SourceTableMissing as missing:
                    state.problem, state.fix = str(missing), missing.fix
                else:
                    state.problem, state.fix = "", ""

    def _send_feedback(self, session: _Session) -> None:
        confirmed = session.flush.confirmed(session.received)
        session.stream.send_feedback(
            write_lsn=confirmed, flush_lsn=confirmed, apply_lsn=confirmed, force=True
        )

    def _handle(self, session: _Session, message: Any, lsn: int) -> None:
        match message:
            case Begin():
                session.transaction = session.flush.begin()
                session.begin, session.ordinal = message, 0
            case Commit(end_lsn=end_lsn):
                if session.transaction is not None:
                    session.transaction.commit(end_lsn)
                session.transaction = None
            case Insert() | Update() | Delete():
                self._take_change(session, message, lsn)
            case Truncate(relations=relations):
                for relation in relations:
                    table = session.tables.get(relation.name)
                    if table is not None:
                        log.warning("%s was truncated: its history is not closed", table.name)
                        self._emit(session, self._builder.truncate(table), session.transaction)

    def _take_change(self, session: _Session, change: Change, lsn: int) -> None:
        if session.begin is None or session.transaction is None:
            raise ValueError("a change outside of a transaction")
        session.ordinal += 1
        begin = session.begin
        position = ChangePosition(
            lsn, session.ordinal, begin.transaction_id, begin.committed_at, session.previous
        )
        session.previous = (begin.transaction_id, session.ordinal)
        table = session.tables.get(change.relation.name)
        if table is None:
            return
        table = self._as_changed(session, table, change)
        session.transaction.expect()
        delayed = session.delayed.get(table.name)
        if delayed is not None:
            delayed.append(_Delayed(change, position, session.transaction))
        else:
            self._emit_change(session, _Delayed(change, position, session.transaction))

    def _as_changed(self, session: _Session, table: SourceTable, change: Change) -> SourceTable:
        """Describe a table anew when the log shows columns that it did not have."""
        known = [column.name for column in table.columns]
        if [column.name for column in change.relation.columns] == known:
            return table
        connection = self._connect()
        try:
            described = describe(connection, {table.name: table.topic})[table.name]
        finally:
            connection.close()
        session.tables[table.name] = described
        log.info("%s has other columns now", table.name)
        return described

    def _emit_change(self, session: _Session, delayed: _Delayed) -> None:
        table = session.tables[delayed.change.relation.name]
        message = self._builder.change(table, delayed.change, delayed.position)
        session.emitter.emit(
            message, delayed.transaction.acknowledge, lambda: self._keep_alive(session)
        )
        self._state.count(table.name, delayed.change)

    def _emit(
        self, session: _Session, message: KafkaMessage, transaction: Transaction | None
    ) -> None:
        if transaction is None:
            raise ValueError("a truncate outside of a transaction")
        transaction.expect()
        session.emitter.emit(message, transaction.acknowledge, lambda: self._keep_alive(session))

    def _keep_alive(self, session: _Session) -> None:
        if self._stop.is_set():
            raise _Stopping
        self._send_feedback(session)

    def _take_reload_requests(self, session: _Session) -> None:
        for name, table in session.tables.items():
            request = self._settings.control / f"{RELOAD}.{table.table}"
            if name not in session.delayed and request.exists():
                log.info("%s is loaded again", name)
                self._state.table(name).is_loaded = False
                self._state.write(force=True)
                request.unlink()
                session.delayed[name] = []

    def _advance_loads(self, session: _Session) -> None:
        for name, load in list(session.loads.items()):
            if not load.is_finished:
                self._state.table(name).load_rows = load.rows
                continue
            del session.loads[name]
            if load.failure is not None:
                log.warning("the load of %s failed and is done again: %s", name, load.failure)
                continue
            table = self._state.table(name)
            table.is_loaded, table.load_rows = True, load.rows
            self._state.write(force=True)
            log.info("%s is loaded: %d rows", name, load.rows)
            for delayed in session.delayed.pop(name):
                self._emit_change(session, delayed)
        for name in session.delayed:
            if name not in session.loads and len(session.loads) < PARALLEL_LOADS:
                session.loads[name] = TableLoad(
                    table=session.tables[name],
                    connect=self._connect,
                    builder=self._builder,
                    emitter=session.emitter,
                    control=self._settings.control,
                    stop=session.stop_loads,
                )
                session.loads[name].start()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the capture until SIGTERM or SIGINT."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    # What the client tries again and again is no news; what it gives up on is raised.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    settings = _settings(options)
    settings.control.mkdir(parents=True, exist_ok=True)
    capture = Capture(settings)
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: capture.stop())
    capture.run()
    return 0


def _settings(options: argparse.Namespace) -> CaptureSettings:
    host, _, port = options.postgres.rpartition(":")
    return CaptureSettings(
        postgres={
            "host": host,
            "port": int(port),
            "dbname": options.database,
            "user": options.user,
            "password": options.postgres_password_file.read_text(encoding="utf-8"),
            "connect_timeout": 5,
            "options": SESSION_OPTIONS,
        },
        kafka={
            "bootstrap_servers": options.bootstrap_servers,
            **sasl_settings(
                options.sasl_username, options.sasl_password_file.read_text(encoding="utf-8")
            ),
        },
        topics=dict(entry.split("=", 1) for entry in options.table),
        directory=options.directory,
        messages=MessageSettings(
            task_id=options.task_id,
            before_image=options.before_image,
            deletes=options.deletes,
            unchanged_toast=options.unchanged_toast,
            booleans=BooleanSpelling(options.booleans),
        ),
        clock_offset=timedelta(seconds=options.dms_clock_offset),
        slot=options.slot,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cdcctl.local.capture", description=__doc__)
    parser.add_argument("--postgres", required=True, metavar="HOST:PORT")
    parser.add_argument("--database", required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--postgres-password-file", required=True, type=Path)
    parser.add_argument("--bootstrap-servers", required=True)
    parser.add_argument("--sasl-username", required=True)
    parser.add_argument("--sasl-password-file", required=True, type=Path)
    parser.add_argument("--directory", required=True, type=Path, help="state and control files")
    parser.add_argument(
        "--table", action="append", required=True, metavar="SCHEMA.TABLE=TOPIC", help="repeatable"
    )
    parser.add_argument("--slot", default="cdcctl_capture")
    parser.add_argument("--task-id", default="cdcctl-local")
    add_message_options(parser)
    return parser


def add_message_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that change what a message looks like."""
    parser.add_argument("--before-image", choices=("pk-only", "none"), default="pk-only")
    parser.add_argument("--deletes", choices=("nulls", "keys-only"), default="nulls")
    parser.add_argument("--unchanged-toast", choices=("absent", "null"), default="absent")
    parser.add_argument(
        "--booleans", choices=[spelling.value for spelling in BooleanSpelling], default="mixed"
    )
    parser.add_argument(
        "--dms-clock-offset",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="how far the clock that stamps emissions is ahead of the source's",
    )


if __name__ == "__main__":
    sys.exit(main())
