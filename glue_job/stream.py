"""The supervised stream of one table: from its topic into its lake, started again when it fails."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from glue_job import positions, session
from glue_job.consent import way_on
from glue_job.edge.kafka import Topic, TopicState
from glue_job.edge.mailbox import Mailbox
from glue_job.errors import JobError
from glue_job.monitor import LOOK_SECONDS, TableMonitor, first_line
from glue_job.pipeline.report import Offsets, Recorded
from glue_job.repair import answer
from glue_job.requests import Answer, Request
from glue_job.state import StateFile
from glue_job.table import TableJob

log = logging.getLogger("glue_job")

LONGEST_PAUSE_SECONDS = 120.0
_FIRST_PAUSE_SECONDS = 2.0
_LOST = "--accept-lost-offsets"


@dataclass(frozen=True)
class StreamSettings:
    """How a table is read."""

    checkpoints: str
    """Folder of all checkpoints; a topic's is below it, by table and topic id."""
    trigger_seconds: float
    accept_lost: bool = False
    """Go on where offsets are missing for good, instead of stopping."""


class TableStream:
    """The query of one table: started, watched, and started again when it fails."""

    def __init__(
        self,
        job: TableJob,
        topic: Topic,
        settings: StreamSettings,
        state: StateFile,
        mailbox: Mailbox,
        monitor: TableMonitor,
    ) -> None:
        """Name the parts; `watch` begins."""
        self.job = job
        self._own_session = job.spark
        self._topic = topic
        self._settings = settings
        self._state = state
        self._mailbox = mailbox
        self._monitor = monitor
        self._asked: list[Request] = []
        self._turn = threading.Lock()
        self._topic_id = ""
        self._query: StreamingQuery | None = None
        self._failures = 0
        self._error: Exception | None = None
        self._start_at = 0.0
        self._taken: dict[int, int] = {}
        self._look_at = 0.0

    @property
    def name(self) -> str:
        """Name the table."""
        return self.job.table.name

    def start(self) -> None:
        """Finish what was begun, then read on where the checkpoint, else the batch log, ends.

        Raises:
            JobError: KFK002 the topic cannot be described; KFK007 offsets that were not read are
                gone; LAK022 a batch that was begun cannot be read again.
        """
        job = self.job.in_session(self._own_session)
        if self._failures:
            # What a batch that failed has written is known to the batch log only.
            job.lake.load_records()
        topic = self._topic.describe()
        self._topic_id = topic.topic_id
        self._finish_begun(job, topic)
        known = job.lake.log.ends(topic.topic_id)
        self._refuse_lost(positions.lost(known, topic.earliest))
        starts = {p: max(known.get(p, first), first) for p, first in topic.earliest.items()}
        self._taken = dict(starts)
        last = job.lake.log.last()
        if last is not None:
            self._monitor.resume(last.watermark)
        rows = self._topic.stream(
            self._own_session, starts, accept_lost=self._settings.accept_lost
        ).withColumn("topic_id", F.lit(topic.topic_id))
        self._query = (
            rows.writeStream.queryName(self.name)
            .foreachBatch(self._take)
            .option(
                "checkpointLocation", f"{self._settings.checkpoints}/{self.name}/{topic.topic_id}"
            )
            .trigger(processingTime=f"{int(self._settings.trigger_seconds * 1000)} milliseconds")
            .start()
        )
        self._state.change(self.name, state="running")

    def _finish_begun(self, job: TableJob, topic: TopicState) -> None:
        """Take the batches again that were recorded and not written whole.

        Spark does so itself for the last batch of a checkpoint; not when that is gone.
        """
        for begun in job.lake.unfinished():
            if begun.batch.source != "kafka":
                continue
            ranges = begun.offsets.get(topic.topic_id, {})
            gone = begun.offsets.keys() != {topic.topic_id} or any(
                topic.earliest.get(partition, end) > first
                for partition, (first, end) in ranges.items()
            )
            if gone:
                self._give_up(begun)
                continue
            log.info("%s: finishing batch %d", self.name, begun.batch.batch_id)
            rows = self._topic.read(self._own_session, ranges)
            job.process(
                rows.withColumn("topic_id", F.lit(topic.topic_id)),
                application_id=begun.batch.application_id,
                batch_id=begun.batch.batch_id,
                processed_at=begun.batch.processed_at,
                source="kafka",
                is_whole=not self._settings.accept_lost,
            )

    def _give_up(self, begun: Recorded) -> None:
        """Void a batch whose messages are gone; an error, unless it has left nothing to do."""
        outcomes = begun.outcomes
        if not any(outcomes[name] for name in ("applied", "unchanged", "superseded")):
            return
        if not self._settings.accept_lost:
            raise JobError(
                code="LAK022",
                what=f"batch {begun.batch.batch_id} of `{self.name}` was begun and cannot be "
                "finished",
                why=f"its messages are not in `{self._topic.name}` any more: the topic was made "
                "anew, or its retention has passed",
                fix=f"cdcctl reload {self.name}, then {way_on(_LOST, self.name)}; afterwards "
                f"cdcctl history rebuild {self.name}",
            )
        log.warning("%s: batch %d is given up", self.name, begun.batch.batch_id)
        self.job.lake.void(begun)

    def _refuse_lost(self, lost: dict[int, tuple[int, int]]) -> None:
        if not lost:
            return
        told = positions.told(lost)
        if self._settings.accept_lost:
            log.warning("%s: offsets that were never read are passed over: %s", self.name, told)
            return
        raise JobError(
            code="KFK007",
            what=f"messages of `{self._topic.name}` are gone that `{self.name}` has not read",
            why=f"the topic's retention has passed over {told}",
            fix=f"cdcctl reload {self.name}, then {way_on(_LOST, self.name)}",
        )

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
            self._fail(self._error or self._query.exception())
            self._query = None
        if self._query is None and time.monotonic() >= self._start_at:
            try:
                self.start()
            except Exception as error:  # noqa: BLE001 - one table must not stop the others
                self._fail(error)
        if self._taken and time.monotonic() >= self._look_at:
            # Also while it has failed: then the lag grows.
            self._tell_lag()
            self._tell(self._monitor.tell)

    def _fail(self, error: Exception | StreamingQueryException | None) -> None:
        self._failures += 1
        pause = min(_FIRST_PAUSE_SECONDS * 2 ** (self._failures - 1), LONGEST_PAUSE_SECONDS)
        self._start_at = time.monotonic() + pause
        log.error("%s: failed, again in %.0f s: %s", self.name, pause, error)
        self._state.change(
            self.name, state="failed", error=first_line(error), restarts=self._failures
        )
        self._tell(lambda: self._monitor.failed(error, self._failures))
        self._error = None

    def _tell_lag(self) -> None:
        """Ask where the topic ends; brokers that do not answer are asked later."""
        self._look_at = time.monotonic() + LOOK_SECONDS
        try:
            lag = self._topic.lag(self._taken)
        except JobError as error:
            self._look_at += LONGEST_PAUSE_SECONDS
            log.warning("%s: the lag is not known: %s", self.name, error)
            self._tell(self._monitor.lag_is_unknown)
            return
        is_well = self.is_running and time.monotonic() >= self._start_at + LOOK_SECONDS
        self._tell(lambda: self._monitor.lag_is(lag, is_well=is_well))

    def _tell(self, tell: Callable[[], None]) -> None:
        """Tell something; a table must not stop because that fails."""
        try:
            tell()
        except Exception:
            log.exception("%s: not told", self.name)

    def stop(self) -> None:
        """End the query after what it does now."""
        if self._query is not None:
            self._query.stop()
            self._state.change(self.name, state="stopped")
        self._topic.close()

    @property
    def is_running(self) -> bool:
        """Tell whether the query runs, which may have failed before."""
        return self._query is not None and self._query.isActive

    @property
    def is_busy(self) -> bool:
        """Tell whether a batch is being taken."""
        query = self._query
        return query is not None and query.isActive and bool(query.status["isTriggerActive"])

    def _take(self, rows: DataFrame, batch_id: int) -> None:
        with self._turn:
            self._do_what_is_asked()
            try:
                self._take_batch(rows, batch_id)
            except Exception as error:
                # The query tells a supervisor of its Java exception only.
                self._error = error
                raise

    def _take_batch(self, rows: DataFrame, batch_id: int) -> None:
        spark = session.prepare(rows.sparkSession)
        self._refuse_another_topic()
        job = self.job.in_session(spark)
        application_id = positions.application(
            job.lake.log.newest(),
            job.lake.recorded,
            f"stream/{_query_id(spark)}",
            batch_id,
            lambda: _offsets(rows),
        )
        report = job.process(
            rows,
            application_id=application_id,
            batch_id=batch_id,
            processed_at=datetime.now(UTC),
            source="kafka",
            is_whole=not self._settings.accept_lost,
        )
        self._failures = 0
        self._state.count(self.name, batch_id, report.outcomes)
        log.info("%s: batch %d: %s", self.name, batch_id, dict(report.outcomes))
        for partition, (_, end) in report.offsets.get(self._topic_id, {}).items():
            self._taken[partition] = max(end, self._taken.get(partition, 0))
        self._tell_lag()
        stopwatch = job.lake.stopwatch
        self._tell(
            lambda: self._monitor.batch_taken(
                report, stopwatch, job.lake.versions_changed(report.batch)
            )
        )

    def _refuse_another_topic(self) -> None:
        """Stop a query whose topic was made anew: its offsets mean other messages now."""
        now = self._topic.topic_id()
        if now != self._topic_id:
            raise JobError(
                code="KFK008",
                what=f"the topic `{self._topic.name}` was made anew while it was read",
                why=f"its id was {self._topic_id} and is {now}",
                fix="nothing to do: the table starts again with the new topic; what the old one "
                "held and was not read yet has to be sent again",
            )


def _query_id(spark: SparkSession) -> str:
    return str(spark.sparkContext.getLocalProperty("sql.streaming.queryId"))


def _offsets(rows: DataFrame) -> Offsets:
    found: dict[str, dict[int, tuple[int, int]]] = {}
    spans = rows.groupBy("topic_id", "partition").agg(
        F.min("offset").alias("first"), F.max("offset").alias("last")
    )
    for row in spans.collect():
        found.setdefault(row["topic_id"], {})[row["partition"]] = (row["first"], row["last"] + 1)
    return found
