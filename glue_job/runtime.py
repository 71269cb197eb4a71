"""The streaming job: one supervised stream per table."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from pyspark.sql import SparkSession

from glue_job import session
from glue_job.alerts import Alerts, alerts_file
from glue_job.arguments import Arguments
from glue_job.contract.lake import LakePaths
from glue_job.contract.loader import Loaded, load, resolve
from glue_job.contract.model import Pipeline
from glue_job.edge import aws, kafka
from glue_job.edge.files import read_text
from glue_job.edge.lease import LakeLock
from glue_job.edge.mailbox import Mailbox
from glue_job.errors import JobError
from glue_job.monitor import FileMemory, JobMonitor, Origin, TableMonitor
from glue_job.requests import Answer
from glue_job.state import StateFile
from glue_job.stream import LONGEST_PAUSE_SECONDS, StreamSettings, TableStream
from glue_job.table import TableJob

log = logging.getLogger("glue_job")

_POLL_SECONDS = 0.5
_MAIL_SECONDS = 5.0


def run(arguments: Arguments) -> int:
    """Run every table's stream until the job is told to stop; give the exit code."""
    with ExitStack() as held:
        lock = None
        if arguments.lake is not None:
            lock = held.enter_context(LakeLock(Path(arguments.lake), "the streaming job"))
        spark = session.start(
            arguments.job_name, jars=arguments.spark_jars, local_cores=arguments.local_cores
        )
        if lock is not None:
            lock.note_jvm(session.java_pid(spark))
        return _run(arguments, spark, held)


def _run(arguments: Arguments, spark: SparkSession, held: ExitStack) -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    loaded = _load(spark, arguments.config)
    names = {} if arguments.lake is not None else aws.placeholders(arguments.config)
    pipeline = _resolved(loaded, names)
    paths = _paths(pipeline, arguments)
    brokers = kafka.connection(pipeline, arguments)
    tables = pipeline.streamed_tables
    state = StateFile(arguments.state_file, tuple(table.name for table in tables))
    checkpoints = arguments.checkpoint or pipeline.settings.checkpoint_location
    guard = _guard(arguments, checkpoints, held)
    mailbox = Mailbox(spark, _requests(arguments, checkpoints))
    origin = Origin(names.get("STACK_NAME"), loaded.config_hash, arguments.code_hash)
    send = aws.publisher(arguments.alert_topic) if arguments.alert_topic else _send_to_nobody
    streams = []
    for table in tables:
        job = TableJob(
            spark.newSession(),
            paths,
            pipeline,
            table,
            config_text=loaded.text,
            config_hash=loaded.config_hash,
            consent=arguments.consent,
            guard=guard,
        )
        job.refuse_contradictions()
        job.open()
        streams.append(
            TableStream(
                job,
                kafka.Topic(spark, brokers, table),
                StreamSettings(
                    checkpoints,
                    arguments.trigger_seconds or pipeline.settings.trigger_interval_seconds,
                    accept_lost=table.name in arguments.consent.accept_lost_offsets,
                ),
                state,
                mailbox,
                TableMonitor(
                    table,
                    origin,
                    Alerts(
                        f"cdcctl {origin.stack_name} {table.name}",
                        FileMemory(spark, alerts_file(checkpoints, table.name)),
                        send,
                    ),
                    state,
                ),
            )
        )
    job_monitor = JobMonitor(origin)

    def each_turn() -> None:
        guard()
        job_monitor.look(sum(stream.is_running for stream in streams))

    try:
        _supervise(streams, mailbox, stop, arguments, each_turn)
    finally:
        # What holds the lake is given back after this: nothing writes any more then.
        spark.stop()
    return 0


def _send_to_nobody(subject: str, text: str) -> None:
    """Send nothing: the log has it."""


def _guard(arguments: Arguments, checkpoints: str, held: ExitStack) -> Callable[[], None]:
    """Take the lake of a deployed job; the lock of a local one is held already, by the system."""
    if arguments.lake is not None:
        return lambda: None
    run_id = arguments.run_id or f"{socket.gethostname()}-{os.getpid()}"
    return held.enter_context(aws.lease(arguments.job_name, run_id, checkpoints)).check


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
    streams: list[TableStream],
    mailbox: Mailbox,
    stop: threading.Event,
    arguments: Arguments,
    each_turn: Callable[[], None],
) -> None:
    looked_at = -_MAIL_SECONDS
    stop_file = arguments.stop_file
    while not stop.is_set() and not (stop_file is not None and stop_file.exists()):
        if time.monotonic() - looked_at >= _MAIL_SECONDS:
            if mailbox.is_asked_to_stop(arguments.run_id):
                break
            _hand_out(mailbox, streams)
            looked_at = time.monotonic()
        each_turn()
        for stream in streams:
            stream.watch()
        stop.wait(_POLL_SECONDS)
    log.info("stopping: each table ends after its batch")
    waiting = [stream for stream in streams]
    deadline = time.monotonic() + LONGEST_PAUSE_SECONDS
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


def _resolved(loaded: Loaded, names: Mapping[str, str]) -> Pipeline:
    assert loaded.pipeline is not None
    return resolve(loaded.pipeline, names) if names else loaded.pipeline


def _paths(pipeline: Pipeline, arguments: Arguments) -> LakePaths:
    if arguments.lake is not None:
        return LakePaths.below(arguments.lake)
    settings = pipeline.settings
    bucket = settings.delta_bucket.removeprefix("s3://").rstrip("/")
    return LakePaths(f"s3://{bucket}", settings.quarantine_path.rstrip("/"))
