"""Kafka as the job reads it: connection, source, topic identity."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from glue_job.arguments import Arguments
from glue_job.contract.model import Pipeline, Table
from glue_job.edge import aws
from glue_job.errors import JobError
from glue_job.positions import Lag, oldest

Connection = dict[str, str]

_COLUMNS = ("topic", "partition", "offset", "timestamp", "value")
_PATIENCE_MS = 30_000
_LAG_PATIENCE_MS = 5_000
"""Nothing waits for the lag: it is asked again."""
_LOGIN_MODULE = "org.apache.kafka.common.security.scram.ScramLoginModule"


def connection(pipeline: Pipeline, arguments: Arguments) -> Connection:
    """Give the client settings: brokers and password as given, else from MSK and its secret."""
    settings = pipeline.kafka
    servers = arguments.bootstrap_servers
    if servers is None and settings.bootstrap_servers != "PLACEHOLDER":
        servers = settings.bootstrap_servers
    if servers is None:
        servers = aws.bootstrap_servers(arguments.msk_cluster_arn)
    username, password = _credentials(pipeline, arguments)
    return {
        "bootstrap.servers": servers,
        "security.protocol": arguments.security_protocol or settings.security_protocol,
        "sasl.mechanism": settings.sasl_mechanism,
        "sasl.jaas.config": (
            f"{_LOGIN_MODULE} required username={_quoted(username)} password={_quoted(password)};"
        ),
    }


def _credentials(pipeline: Pipeline, arguments: Arguments) -> tuple[str, str]:
    if arguments.sasl_password_file is None:
        return aws.kafka_user(arguments.secret_arn)
    try:
        password = arguments.sasl_password_file.read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise JobError(
            code="KFK001",
            what=f"the password file {arguments.sasl_password_file} cannot be read",
            why=error.strerror or str(error),
            fix="name a readable file with --sasl-password-file",
        ) from error
    return arguments.sasl_username or pipeline.kafka.sasl_username, password


def _quoted(text: str) -> str:
    """Quote a value of a JAAS entry (javax.security.auth.login.Configuration syntax)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@dataclass(frozen=True)
class TopicState:
    """What the brokers say of a topic: one made anew under the same name has another id."""

    topic_id: str
    earliest: Mapping[int, int]
    """By partition: the first offset that is still there."""


class Topic:
    """The topic of one table, described and read with one set of client settings."""

    def __init__(self, spark: SparkSession, brokers: Connection, table: Table) -> None:
        """Name the topic; nothing is asked yet."""
        self._jvm: Any = spark._jvm
        self._brokers = brokers
        self._table = table
        self._admin: Any = None

    @property
    def name(self) -> str:
        """Name the topic."""
        return self._table.topic

    def describe(self) -> TopicState:
        """Ask for id and first offsets; JobError KFK002 when the topic cannot be described."""
        try:
            description = self._description()
            earliest = self._offsets(_partitions(description), self._specs.earliest())
        except Exception as error:
            raise self._undescribed(error) from error
        return TopicState(str(description.topicId().toString()), earliest)

    def lag(self, taken: Mapping[int, int]) -> Lag:
        """Compare where each partition ends with the offset up to which it was taken."""
        try:
            partitions = _partitions(self._description(_LAG_PATIENCE_MS))
            ends = self._offsets(partitions, self._specs.latest(), _LAG_PATIENCE_MS)
            behind = {p: taken.get(p, 0) for p, end in ends.items() if end > taken.get(p, 0)}
            if not behind:
                return Lag(0, 0.0)
            now = time.time()

            def is_older(seconds: float) -> bool:
                moment = self._specs.forTimestamp(int((now - seconds) * 1000))
                # The first message from that moment on; none (-1), when all are older.
                first = self._offsets(behind, moment, _LAG_PATIENCE_MS)
                return any(first[p] < 0 or first[p] > at for p, at in behind.items())

            return Lag(sum(ends[p] - at for p, at in behind.items()), oldest(is_older))
        except Exception as error:
            raise self._undescribed(error) from error

    @property
    def _kafka_admin(self) -> Any:
        return self._jvm.org.apache.kafka.clients.admin

    @property
    def _specs(self) -> Any:
        return self._kafka_admin.OffsetSpec

    def _offsets(
        self, partitions: Iterable[int], spec: Any, patience_ms: int = _PATIENCE_MS
    ) -> dict[int, int]:
        asked = self._jvm.java.util.HashMap()
        for partition in partitions:
            asked.put(self._jvm.org.apache.kafka.common.TopicPartition(self.name, partition), spec)
        options = self._kafka_admin.ListOffsetsOptions().timeoutMs(patience_ms)
        found = self._client().listOffsets(asked, options).all().get()
        return {int(place.partition()): int(found.get(place).offset()) for place in asked.keySet()}

    def topic_id(self) -> str:
        """Ask for the id alone."""
        try:
            return str(self._description().topicId().toString())
        except Exception as error:
            raise self._undescribed(error) from error

    def close(self) -> None:
        """Give the connection back."""
        if self._admin is not None:
            self._admin.close()
            self._admin = None

    def stream(
        self, spark: SparkSession, starts: Mapping[int, int], *, accept_lost: bool
    ) -> DataFrame:
        """Open the stream of the topic; a new checkpoint begins at `starts`, by partition.

        Offsets that retention has removed stop the stream, they are not passed over, unless
        `accept_lost` says so.
        """
        source = (
            spark.readStream.format("kafka")
            .options(**self._client_options())
            .option("subscribe", self.name)
            .option("startingOffsets", self._spelled(starts))
            .option("failOnDataLoss", str(not accept_lost).lower())
        )
        if self._table.max_offsets_per_trigger is not None:
            source = source.option("maxOffsetsPerTrigger", self._table.max_offsets_per_trigger)
        return source.load().select(*_COLUMNS)

    def read(self, spark: SparkSession, ranges: Mapping[int, tuple[int, int]]) -> DataFrame:
        """Read ranges of offsets, the end not included, by partition."""
        return (
            spark.read.format("kafka")
            .options(**self._client_options())
            .option("assign", json.dumps({self.name: sorted(ranges)}))
            .option("startingOffsets", self._spelled({p: r[0] for p, r in ranges.items()}))
            .option("endingOffsets", self._spelled({p: r[1] for p, r in ranges.items()}))
            .load()
            .select(*_COLUMNS)
        )

    def _client_options(self) -> dict[str, str]:
        return {f"kafka.{name}": value for name, value in self._brokers.items()}

    def _spelled(self, offsets: Mapping[int, int]) -> str:
        return json.dumps({self.name: {str(p): offset for p, offset in offsets.items()}})

    def _client(self) -> Any:
        if self._admin is None:
            settings = self._jvm.java.util.Properties()
            for name, value in self._brokers.items():
                settings.setProperty(name, value)
            settings.setProperty("request.timeout.ms", "15000")
            self._admin = self._kafka_admin.Admin.create(settings)
        return self._admin

    def _description(self, patience_ms: int = _PATIENCE_MS) -> Any:
        names = self._jvm.java.util.Collections.singletonList(self.name)
        options = self._kafka_admin.DescribeTopicsOptions().timeoutMs(patience_ms)
        return self._client().describeTopics(names, options).allTopicNames().get().get(self.name)

    def _undescribed(self, error: Exception) -> JobError:
        return JobError(
            code="KFK002",
            what=f"the topic `{self.name}` cannot be described",
            why=str(error).strip().splitlines()[0],
            fix="create it (cdcctl sync-topics; locally, cdcctl local up does)",
        )


def _partitions(description: Any) -> list[int]:
    return [int(partition.partition()) for partition in description.partitions()]
