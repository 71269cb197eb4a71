"""A table's stream on a real broker: old checkpoints, topics made anew, retention passed."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from pyspark.sql import SparkSession

from cdcctl.local.broker import sasl_settings
from glue_job.alerts import Alerts
from glue_job.arguments import parse
from glue_job.edge.kafka import Topic, connection
from glue_job.edge.mailbox import Mailbox
from glue_job.monitor import FileMemory, Origin, TableMonitor
from glue_job.positions import Lag
from glue_job.requests import ANSWER, Request, Selection
from glue_job.state import StateFile
from glue_job.stream import StreamSettings, TableStream
from tests.local.running_stack import RunningStack, eventually
from tests.oracle.dms import Record
from tests.spark.engine import read_delta
from tests.spark.small_lake import CONFIG, TABLE, SmallLake, change

pytestmark = [pytest.mark.local, pytest.mark.spark]


@dataclass
class Feed:
    """A topic of its own on the broker, and a lake that takes it."""

    running: RunningStack
    spark: SparkSession
    folder: Path
    topic: str = field(default_factory=lambda: f"cdc-{uuid4().hex[:10]}")
    text: str = ""
    sent: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.text = CONFIG.replace("topic: cdc-people", f"topic: {self.topic}")
        self.create()

    @property
    def _client(self) -> dict[str, Any]:
        return {
            "bootstrap_servers": self.running.report.kafka["bootstrap_servers"],
            **sasl_settings(
                self.running.report.kafka["sasl_username"],
                self.running.stack.kafka_password.read_text(encoding="utf-8"),
            ),
        }

    def admin(self) -> KafkaAdminClient:
        return KafkaAdminClient(**self._client)

    def create(self) -> None:
        admin = self.admin()
        eventually(lambda: admin.create_topics([NewTopic(self.topic, 2, 1)]) and True)
        admin.close()

    def recreate(self) -> None:
        admin = self.admin()
        admin.delete_topics([self.topic])
        eventually(lambda: self.topic not in admin.list_topics() or None)
        admin.close()
        self.create()

    def forget_before(self, partition: int, offset: int) -> None:
        admin = self.admin()
        admin.delete_records({TopicPartition(self.topic, partition): offset})
        admin.close()

    def send(self, *records: Record, ages: Iterable[int] = ()) -> None:
        """Produce records, so many seconds ago; a key always goes to the same partition."""
        producer = KafkaProducer(**self._client)
        for record, age in zip_longest(records, ages, fillvalue=0):
            assert isinstance(record, Record)
            partition = record.data["id"] % 2
            at = int(time.time() - age) * 1000
            producer.send(self.topic, record.value.encode(), partition=partition, timestamp_ms=at)
        producer.flush()
        producer.close()

    def lake(self, *, rows_per_batch: int | None = None) -> SmallLake:
        text = self.text
        if rows_per_batch is not None:
            bounded = f"primary_key: id\n    max_offsets_per_trigger: {rows_per_batch}"
            text = text.replace("primary_key: id", bounded)
        return SmallLake(self.spark, self.folder / "lake", text)

    def stream(
        self, *, rows_per_batch: int | None = None, accept_lost: bool = False
    ) -> tuple[TableStream, StateFile]:
        """Make the stream as a process that has just started does."""
        job = self.lake(rows_per_batch=rows_per_batch).job()
        state = StateFile(None, (TABLE,))
        kafka = self.running.report.kafka
        arguments = parse(
            [
                *("--config", "tables.yaml", "--security-protocol", "SASL_PLAINTEXT"),
                *("--bootstrap-servers", kafka["bootstrap_servers"]),
                *("--sasl-username", kafka["sasl_username"]),
                *("--sasl-password-file", str(self.running.stack.kafka_password)),
            ]
        )
        settings = StreamSettings(str(self.checkpoints), 0.1, accept_lost=accept_lost)
        mailbox = Mailbox(self.spark, str(self.folder / "requests"))
        topic = Topic(self.spark, connection(job.pipeline, arguments), job.table)
        memory = FileMemory(self.spark, f"{self.folder}/alerts.json")
        alerts = Alerts(TABLE, memory, lambda subject, text: self.sent.append(f"{subject}\n{text}"))
        origin = Origin("demo", job.config_hash)
        monitor = TableMonitor(job.table, origin, alerts, state, write=self.lines.append)
        return TableStream(job, topic, settings, state, mailbox, monitor), state

    def run(self, **options: Any) -> str | None:
        """Start the stream, let it take all that is there, end it; give the error, if any."""
        stream, state = self.stream(**options)
        stream.watch()
        try:
            if stream._query is not None:
                stream._query.processAllAvailable()
        except Exception as error:  # noqa: BLE001 - the supervisor's way to see it
            return str(error)
        finally:
            stream.stop()
        return state.tables[TABLE].error

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    def batches(self) -> list[Mapping[str, Any]]:
        rows = read_delta(self.lake().paths.batches)
        return sorted(rows, key=lambda row: row["processed_at"])

    def counts(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for row in self.batches():
            for name in ("consumed", "applied", "unchanged", "duplicate", "quarantined"):
                total[name] += row[name]
        return +total


def inserts(*keys: int) -> Iterable[Record]:
    return [change("insert", key, key, name=f"N{key}", age=30) for key in keys]


@pytest.fixture
def feed(running: RunningStack, spark: SparkSession, tmp_path: Path) -> Feed:
    return Feed(running, spark, tmp_path)


def keys(feed: Feed) -> list[int]:
    return [row["id"] for row in feed.lake().history()]


@pytest.mark.slow
def test_a_checkpoint_that_is_gone_loses_and_doubles_nothing(feed: Feed) -> None:
    feed.send(*inserts(1, 2, 3))
    assert feed.run() is None
    shutil.rmtree(feed.checkpoints)
    feed.send(*inserts(4, 5))
    assert feed.run() is None
    assert keys(feed) == [1, 2, 3, 4, 5]
    assert feed.counts() == {"consumed": 5, "applied": 5}


@pytest.mark.parametrize(
    "point",
    [
        "after-ledger",
        pytest.param("after-record", marks=pytest.mark.slow),
        pytest.param("after-quarantine", marks=pytest.mark.slow),
    ],
)
def test_a_batch_that_was_begun_is_finished_without_its_checkpoint(
    feed: Feed, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    wrong = change("insert", 9, 9, name="N9", age=999)
    feed.send(*inserts(1, 2), wrong)
    monkeypatch.setenv("CDCCTL_TEST_HOOKS", "1")
    monkeypatch.setenv("CDCCTL_FAILPOINT", f"{point}:raise")
    assert "FailpointReached" in (feed.run() or "")
    monkeypatch.delenv("CDCCTL_FAILPOINT")
    shutil.rmtree(feed.checkpoints)
    feed.send(*inserts(3))
    assert feed.run() is None
    assert keys(feed) == [1, 2, 3]
    assert [row["_offset"] for row in feed.lake().quarantine()] == [1]
    assert feed.counts() == {"consumed": 4, "applied": 3, "quarantined": 1}


def test_an_older_checkpoint_with_a_larger_trigger_loses_nothing(feed: Feed) -> None:
    feed.send(*inserts(1, 2))
    assert feed.run(rows_per_batch=2) is None
    old = feed.folder / "old"
    shutil.copytree(feed.checkpoints, old)
    feed.send(*inserts(3, 4, 5, 6))
    assert feed.run(rows_per_batch=2) is None
    shutil.rmtree(feed.checkpoints)
    shutil.copytree(old, feed.checkpoints)
    feed.send(*inserts(7, 8))
    assert feed.run() is None
    assert keys(feed) == [1, 2, 3, 4, 5, 6, 7, 8]
    epochs = [row["application_id"].rpartition("/")[2] for row in feed.batches()]
    assert (epochs[:3], set(epochs[3:])) == (["0", "0", "0"], {"1"})
    assert feed.counts() == {"consumed": 12, "applied": 8, "duplicate": 4}
    feed.send(*inserts(9))
    assert feed.run() is None
    assert keys(feed)[-1] == 9


@pytest.mark.slow
def test_a_topic_made_anew_begins_again(feed: Feed) -> None:
    feed.send(*inserts(1, 2))
    assert feed.run() is None
    feed.recreate()
    feed.send(*inserts(3, 4, 5))
    assert feed.run() is None
    assert keys(feed) == [1, 2, 3, 4, 5]
    assert feed.counts() == {"consumed": 5, "applied": 5}


def test_a_topic_made_anew_under_a_running_stream_is_noticed(feed: Feed) -> None:
    feed.send(*inserts(1, 2))
    stream, state = feed.stream()
    stream.watch()
    try:
        assert stream._query is not None
        stream._query.processAllAvailable()
        feed.recreate()
        feed.send(*inserts(3, 4, 5, 6, 7, 8))

        def all_are_there() -> bool | None:
            stream.watch()
            stream._start_at = min(stream._start_at, time.monotonic() + 0.5)
            return keys(feed) == [1, 2, 3, 4, 5, 6, 7, 8] or None

        eventually(all_are_there, 90.0)
    finally:
        stream.stop()
    assert state.tables[TABLE].restarts > 0
    errors = [line["error"] for line in map(json.loads, feed.lines) if "error" in line]
    assert errors[0].startswith("KFK008: the topic")


def test_retention_that_has_passed_stops_the_table_and_says_what_is_gone(feed: Feed) -> None:
    feed.send(*inserts(2))
    assert feed.run() is None
    feed.send(*inserts(4, 6, 8))
    feed.forget_before(0, 3)
    error = feed.run()
    assert error is not None
    assert "KFK007" in error
    told = json.loads(feed.lines[-1])["error"]
    assert "retention has passed over" in told
    assert keys(feed) == [2]
    shutil.rmtree(feed.checkpoints)
    assert "KFK007" in (feed.run() or "")
    assert feed.run(accept_lost=True) is None
    assert keys(feed) == [2, 8]


def test_a_running_stream_answers_a_request(feed: Feed) -> None:
    feed.send(*inserts(1), change("insert", 3, 3, name="N3", age=999))
    stream, _ = feed.stream()
    stream.watch()
    try:
        assert stream._query is not None
        stream._query.processAllAvailable()
        asked = Request(
            id="r1",
            kind="replay",
            table=TABLE,
            requested_by="op",
            requested_at=datetime.now(UTC),
            selection=Selection(rule="age_range"),
            patch={"age": "99"},
        )
        stream.ask(asked)
        answer = feed.folder / "requests" / f"r1{ANSWER}"

        def answered() -> bool | None:
            stream.watch()
            return answer.exists() or None

        eventually(answered)
        feed.send(*inserts(5))
        stream._query.processAllAvailable()
    finally:
        stream.stop()
    assert json.loads(answer.read_text())["counts"] == {"tried": 1, "tired": 0, "applied": 1}
    assert keys(feed) == [1, 3, 5]


def test_the_lag_counts_what_waits_and_knows_the_oldest(feed: Feed) -> None:
    stream, _ = feed.stream()
    assert stream._topic.lag({}) == Lag(0, 0.0)
    feed.send(*inserts(1, 2, 4), ages=(900, 100, 5))
    assert stream._topic.lag({0: 2, 1: 1}) == Lag(0, 0.0)
    behind = stream._topic.lag({0: 0, 1: 1})
    assert behind.messages == 2
    assert 100 <= behind.seconds <= 110
    assert 900 <= stream._topic.lag({}).seconds <= 960
    stream.stop()


def test_a_breach_is_told_once_though_its_batch_is_replayed(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.text = feed.text.replace(
        "{metric: size, threshold: 1}", "{metric: completeness, column: name, threshold: 0.9}"
    )
    feed.send(change("insert", 2, 2, name=None, age=30), change("insert", 4, 4, age=999))
    monkeypatch.setenv("CDCCTL_TEST_HOOKS", "1")
    monkeypatch.setenv("CDCCTL_FAILPOINT", "batch-end:raise")
    assert "FailpointReached" in (feed.run() or "")
    monkeypatch.delenv("CDCCTL_FAILPOINT")
    assert feed.sent == []

    assert feed.run() is None
    (breach,) = feed.sent
    assert "completeness of name is 0, below 0.9, in batch 0" in breach
    shutil.rmtree(feed.checkpoints)
    feed.send(change("update", 2, 5, name="N2", age=31), change("update", 2, 1, name="N0", age=1))
    stream, state = feed.stream()
    stream.watch()
    try:
        assert stream._query is not None
        stream._query.processAllAvailable()
        stream._look_at = 0.0
        stream.watch()
    finally:
        stream.stop()
    assert [text.splitlines()[0] for text in feed.sent[1:]] == [f"{TABLE}: recovered"]
    assert state.tables[TABLE].problems == []

    lines = [json.loads(line) for line in feed.lines]
    replayed, taken = (line for line in lines if "consumed" in line)
    idle = lines[-1]
    assert (replayed["breached"], replayed["problems"]) == (1, 1)
    told = ("applied", "late", "versions_opened", "versions_closed", "lag_messages", "breached")
    assert {name: taken[name] for name in told} == {
        "applied": 2,
        "late": 1,
        "versions_opened": 2,
        "versions_closed": 2,
        "lag_messages": 0,
        "breached": 0,
    }
    assert taken["lateness_seconds"] == 60.0
    assert taken["source_to_lake_seconds"] > 0
    steps = {"check", "measure", "record", "metrics", "ledger", "history", "other"}
    assert set(taken["seconds"]) == steps
    assert sum(taken["seconds"].values()) == pytest.approx(taken["batch_seconds"], abs=0.1)
    assert (idle["lag_messages"], "consumed" in idle) == (0, False)
