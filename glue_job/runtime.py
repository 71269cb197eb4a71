"""The streaming job: one supervised query per table."""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from glue_job import session
from glue_job.arguments import Arguments
from glue_job.contract.lake import LakePaths
from glue_job.contract.loader import Loaded, load, resolve
from glue_job.contract.model import Pipeline
from glue_job.edge import aws, kafka
from glue_job.edge.files import read_text
from glue_job.edge.lease import LakeLock
from glue_job.edge.mailbox import Mailbox
from glue_job.errors import JobError
from glue_job.repair import answer
from glue_job.requests import Answer, Request
from glue_job.table import TableJob

log = logging.getLogger("glue_job")

_POLL_SECONDS = 0.5
_FIRST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 120.0
_MAIL_SECONDS = 5.0


@dataclass
class TableStatus:
    """What the state file says of one table."""

    state: str = "starting"
    batch_id: int | None = None
    rows: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    error: str | None = None
    restarts: int = 0


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


class TableStream:
    """The query of one table: started, watched, and started again when it fails."""

    def __init__(
        self,
        job: TableJob,
        source: Callable[[SparkSession], DataFrame],
        topic_id: str,
        checkpoint: str,
        trigger_seconds: float,
        state: StateFile,
        mailbox: Mailbox,
    ) -> None:
        """Name the parts; `start` begins."""
        self.job = job
        self._own_session = job.spark
        self._mailbox = mailbox
        self._asked: list[Request] = []
        self._turn = threading.Lock()
        self._source = source
        self._topic_id = topic_id
        self._checkpoint = checkpoint
        self._trigger_seconds = trigger_seconds
        self._state = state
        self._query: StreamingQuery | None = None
        self._failures = 0
        self._start_at = 0.0

    @property
    def name(self) -> str:
        """Name the table."""
        return self.job.table.name

    def start(self) -> None:
        """Begin reading the topic where the checkpoint ends."""
        rows = self._source(self.job.spark).withColumn("topic_id", F.lit(self._topic_id))
        self._query = (
            rows.writeStream.queryName(self.name)
            .foreachBatch(self._take)
            .option("checkpointLocation", self._checkpoint)
            .trigger(processingTime=f"{int(self._trigger_seconds * 1000)} milliseconds")
            .start()
        )
        self._state.change(self.name, state="running")

    def ask(self, request: Request) -> None:
        """Note a request; it is done between two batches."""
        if all(known.id != request.id for known in self._asked):
            self._asked.append(request)

    def _do_what_is_asked(self) -> None:
        """Answer what was asked; the caller holds the turn."""
        while self._asked:
            request = self._asked[0]
            log.info("%s: %s %s", self.name, request.kind, request.id)
            try:
                done = answer(self.job.in_session(self._own_session), request)
            except JobError as error:
                done = Answer.failed(error)
            except Exception as error:
                log.exception("%s: request %s failed", self.name, request.id)
                first = str(error).strip().splitlines()[0]
                done = Answer.failed(JobError("REQ002", f"request {request.id} failed", first))
            self._mailbox.reply(request, done)
            self._asked.pop(0)

    def watch(self) -> None:
        """Do what was asked, and start the query again when it has failed and paused."""
        if self._asked and not self.is_busy and self._turn.acquire(blocking=False):
            try:
                self._do_what_is_asked()
            finally:
                self._turn.release()
        if self._query is not None and not self._query.isActive:
            self._fail(self._query.exception())
            self._query = None
        if self._query is None and time.monotonic() >= self._start_at:
            try:
                self.start()
            except Exception as error:  # noqa: BLE001 - one table must not stop the others
                self._fail(error)

    def _fail(self, error: Exception | StreamingQueryException | None) -> None:
        self._failures += 1
        pause = min(_FIRST_PAUSE_SECONDS * 2 ** (self._failures - 1), _LONGEST_PAUSE_SECONDS)
        self._start_at = time.monotonic() + pause
        said = str(error).strip().splitlines()[0] if error else "the query ended"
        log.error("%s: failed, again in %.0f s: %s", self.name, pause, error)
        self._state.change(self.name, state="failed", error=said, restarts=self._failures)

    def stop(self) -> None:
        """End the query after what it does now."""
        if self._query is not None:
            self._query.stop()
            self._state.change(self.name, state="stopped")

    @property
    def is_busy(self) -> bool:
        """Tell whether a batch is being taken."""
        query = self._query
        return query is not None and query.isActive and bool(query.status["isTriggerActive"])

    def _take(self, rows: DataFrame, batch_id: int) -> None:
        with self._turn:
            self._do_what_is_asked()
            self._take_batch(rows, batch_id)

    def _take_batch(self, rows: DataFrame, batch_id: int) -> None:
        spark = session.prepare(rows.sparkSession)
        query_id = spark.sparkContext.getLocalProperty("sql.streaming.queryId")
        job = self.job.in_session(spark)
        report = job.process(
            rows,
            application_id=f"stream/{query_id}",
            batch_id=batch_id,
            processed_at=datetime.now(UTC),
            source="kafka",
        )
        self._failures = 0
        self._state.count(self.name, batch_id, report.outcomes)
        log.info("%s: batch %d: %s", self.name, batch_id, dict(report.outcomes))


def run(arguments: Arguments) -> int:
    """Run every table's stream until the job is told to stop; give the exit code."""
    if arguments.lake is None:
        return _run(arguments)
    with LakeLock(Path(arguments.lake), "the streaming job"):
        return _run(arguments)


def _run(arguments: Arguments) -> int:
    spark = session.start(
        arguments.job_name, jars=arguments.spark_jars, local_cores=arguments.local_cores
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    loaded = _load(spark, arguments.config)
    pipeline = _resolved(loaded, arguments)
    paths = _paths(pipeline, arguments)
    brokers = kafka.connection(pipeline, arguments)
    tables = pipeline.streamed_tables
    state = StateFile(arguments.state_file, tuple(table.name for table in tables))
    checkpoints = arguments.checkpoint or pipeline.settings.checkpoint_location
    mailbox = Mailbox(spark, _requests(arguments, checkpoints))
    streams = []
    for table in tables:
        job = TableJob(
            spark.newSession(),
            paths,
            pipeline,
            table,
            config_text=loaded.text,
            config_hash=loaded.config_hash,
            allow_quarantine=table.name in arguments.allow_quarantine,
        )
        job.refuse_contradictions()
        job.open()
        streams.append(
            TableStream(
                job,
                kafka.reader(brokers, table),
                kafka.topic_id(spark, brokers, table.topic),
                f"{checkpoints}/{table.name}",
                arguments.trigger_seconds or pipeline.settings.trigger_interval_seconds,
                state,
                mailbox,
            )
        )
    try:
        _supervise(streams, mailbox, stop, arguments.stop_file)
    finally:
        spark.stop()
    return 0


def _requests(arguments: Arguments, checkpoints: str) -> str:
    if arguments.requests is not None:
        return arguments.requests
    return f"{checkpoints}/_requests" if arguments.lake is None else f"{arguments.lake}/requests"


def _hand_out(mailbox: Mailbox, streams: list[TableStream]) -> None:
    by_name = {stream.name: stream for stream in streams}
    for request in mailbox.pending():
        stream = by_name.get(request.table)
        if stream is not None:
            stream.ask(request)
            continue
        error = JobError("REQ003", f"no table `{request.table}`", f"known: {', '.join(by_name)}")
        mailbox.reply(request, Answer.failed(error))


def _supervise(
    streams: list[TableStream], mailbox: Mailbox, stop: threading.Event, stop_file: Path | None
) -> None:
    looked_at = -_MAIL_SECONDS
    while not stop.is_set() and not (stop_file is not None and stop_file.exists()):
        if time.monotonic() - looked_at >= _MAIL_SECONDS:
            _hand_out(mailbox, streams)
            looked_at = time.monotonic()
        for stream in streams:
            stream.watch()
        stop.wait(_POLL_SECONDS)
    log.info("stopping: each table ends after its batch")
    waiting = [stream for stream in streams]
    deadline = time.monotonic() + _LONGEST_PAUSE_SECONDS
    while waiting and time.monotonic() < deadline:
        for stream in [stream for stream in waiting if not stream.is_busy]:
            stream.stop()
            waiting.remove(stream)
        time.sleep(_POLL_SECONDS / 5)
    for stream in waiting:
        stream.stop()


def _load(spark: SparkSession, path: str) -> Loaded:
    text = read_text(spark, path)
    if text is None:
        raise JobError(
            code="CFG000",
            what=f"the config {path} is not there",
            fix="name a tables.yaml with --config",
        )
    loaded = load(text, path)
    if loaded.pipeline is None:
        first = next(finding for finding in loaded.findings if finding.severity == "error")
        raise JobError(
            code=first.code,
            what=f"the config {path} is not valid: {first.message}",
            why=f"line {first.line}, column {first.column}",
            fix="cdcctl validate-config",
        )
    return loaded


def _resolved(loaded: Loaded, arguments: Arguments) -> Pipeline:
    assert loaded.pipeline is not None
    if arguments.lake is not None:
        return loaded.pipeline
    return resolve(loaded.pipeline, aws.placeholders(arguments.config))


def _paths(pipeline: Pipeline, arguments: Arguments) -> LakePaths:
    if arguments.lake is not None:
        return LakePaths.below(arguments.lake)
    settings = pipeline.settings
    bucket = settings.delta_bucket.removeprefix("s3://").rstrip("/")
    return LakePaths(f"s3://{bucket}", settings.quarantine_path.rstrip("/"))
