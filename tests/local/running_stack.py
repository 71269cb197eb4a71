"""Drives a real local stack in tests: SQL in, Kafka messages out."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from cdcctl import app
from cdcctl.local.broker import sasl_settings
from cdcctl.local.layout import StackDirectory
from cdcctl.local.postgres import PostgresServer
from cdcctl.operations.local_report import StackReport
from cdcctl.operations.local_stack import (
    UpRequest,
    stack_status,
    start_stack,
    stop_stack,
)
from cdcctl.ui.progress import SilentProgress

PATIENCE_SECONDS = 40.0


@contextmanager
def started(root: Path, config: Path) -> Iterator[RunningStack]:
    """Run PostgreSQL, Kafka and the capture, without the job, and end them."""
    request = UpRequest(config=config, directory=root, with_job=False, ends_with_caller=True)
    report = start_stack(request, SilentProgress())
    try:
        yield RunningStack(StackDirectory(root), report)
    finally:
        stop_stack(root, SilentProgress())


@dataclass(frozen=True)
class Message:
    """One Kafka record, decoded."""

    partition: int
    offset: int
    key: str
    text: str

    @property
    def value(self) -> dict[str, Any]:
        return json.loads(self.text)

    @property
    def metadata(self) -> dict[str, Any]:
        return self.value["metadata"]

    @property
    def operation(self) -> str:
        return self.metadata["operation"]

    @property
    def row(self) -> dict[str, Any]:
        return self.value.get("data", {})

    @property
    def position(self) -> tuple[Any, ...]:
        names = ("commit-timestamp", "stream-position", "transaction-id", "transaction-record-id")
        return tuple(self.metadata.get(name) for name in names)


@dataclass(frozen=True)
class RunningStack:
    """A stack that is up."""

    stack: StackDirectory
    report: StackReport

    def status(self) -> StackReport:
        return stack_status(self.stack.root)

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements in one transaction; give the rows of the last."""
        server = PostgresServer(self.stack, int(self.report.postgres["port"]))
        with (
            closing(server.connect()) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def messages(self, table: str) -> list[Message]:
        """Read a table's topic from its beginning, in order of partition and offset."""
        from kafka import KafkaConsumer, TopicPartition

        consumer = KafkaConsumer(
            bootstrap_servers=self.report.kafka["bootstrap_servers"],
            **sasl_settings(
                self.report.kafka["sasl_username"],
                self.stack.kafka_password.read_text(encoding="utf-8"),
            ),
        )
        found: list[Message] = []
        with closing(consumer):
            topic = f"cdc-{table}"
            partitions = [
                TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)
            ]
            consumer.assign(partitions)
            consumer.seek_to_beginning()
            ends = consumer.end_offsets(partitions)
            while any(consumer.position(each) < end for each, end in ends.items()):
                for records in consumer.poll(timeout_ms=500).values():
                    found += [
                        Message(r.partition, r.offset, r.key.decode(), r.value.decode())
                        for r in records
                    ]
        return sorted(found, key=lambda message: (message.partition, message.offset))

    def wait_for(
        self, table: str, wanted: Callable[[Message], bool], count: int = 1
    ) -> list[Message]:
        """Wait until so many messages are as wanted; give them in the order of their emission."""

        def found() -> list[Message] | None:
            matching = [message for message in self.messages(table) if wanted(message)]
            return matching if len(matching) >= count else None

        matching = eventually(found)
        return sorted(matching, key=lambda message: message.metadata["timestamp"])

    def changes_of(self, table: str, keys: set[int], count: int) -> list[Message]:
        """Wait for changes (not loads) of some ids."""
        return self.wait_for(
            table,
            lambda m: m.operation in {"insert", "update", "delete"} and m.row.get("id") in keys,
            count,
        )

    def control(self, name: str) -> Path:
        """Name a control file of the capture."""
        return self.stack.capture / "control" / name

    def pid(self, child: str) -> int:
        """Give the process id of a child that is ready."""

        def found() -> int | None:
            for each in self.status().children:
                if each.name == child and each.state == "ready":
                    return each.pid
            return None

        return eventually(found)

    def screen(self, capsys: pytest.CaptureFixture[str]) -> str:
        """Give what `cdcctl local status` prints, the folds of its lines undone."""
        capsys.readouterr()
        app.run(["local", "status", "--dir", str(self.stack.root)])
        return " ".join(capsys.readouterr().out.split())

    def kill(self, child: str, meanwhile: Callable[[], bool] = lambda: True) -> None:
        """Kill a child without warning, and wait until its successor is ready."""
        before = self.pid(child)
        os.kill(before, signal.SIGKILL)
        eventually(lambda: meanwhile() or None)
        eventually(lambda: self.pid(child) != before or None)


T = TypeVar("T")


def eventually(probe: Callable[[], T | None], patience_seconds: float = PATIENCE_SECONDS) -> T:
    """Ask until there is an answer; what the servers raise meanwhile is waited out."""
    deadline = time.monotonic() + patience_seconds
    failure: Exception | None = None
    while time.monotonic() < deadline:
        try:
            answer = probe()
        except Exception as error:  # noqa: BLE001 - a server that restarts answers in many ways
            failure, answer = error, None
        if answer is not None:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"nothing came of it after {patience_seconds} s") from failure
