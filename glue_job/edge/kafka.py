"""Kafka as the job reads it: connection, source, topic identity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from glue_job.arguments import Arguments
from glue_job.contract.model import Pipeline, Table
from glue_job.edge import aws
from glue_job.errors import JobError

Connection = dict[str, str]

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


def reader(brokers: Connection, table: Table) -> Callable[[SparkSession], DataFrame]:
    """Give a function that opens the stream of a table's topic from its beginning.

    `failOnDataLoss` stays on: offsets that retention has removed stop the table, they are never
    passed over.
    """

    def open_stream(spark: SparkSession) -> DataFrame:
        source = (
            spark.readStream.format("kafka")
            .options(**{f"kafka.{name}": value for name, value in brokers.items()})
            .option("subscribe", table.topic)
            .option("startingOffsets", "earliest")
            .option("failOnDataLoss", "true")
        )
        if table.max_offsets_per_trigger is not None:
            source = source.option("maxOffsetsPerTrigger", table.max_offsets_per_trigger)
        return source.load().select("topic", "partition", "offset", "timestamp", "value")

    return open_stream


def topic_id(spark: SparkSession, brokers: Connection, topic: str) -> str:
    """Ask the brokers for a topic's id: a topic made anew under the same name has another."""
    jvm: Any = spark._jvm
    settings = jvm.java.util.Properties()
    for name, value in brokers.items():
        settings.setProperty(name, value)
    settings.setProperty("request.timeout.ms", "15000")
    settings.setProperty("default.api.timeout.ms", "30000")
    admin = jvm.org.apache.kafka.clients.admin.Admin.create(settings)
    try:
        names = jvm.java.util.Collections.singletonList(topic)
        found = admin.describeTopics(names).allTopicNames().get().get(topic)
        return str(found.topicId().toString())
    except Exception as error:
        raise JobError(
            code="KFK002",
            what=f"the topic `{topic}` cannot be described",
            why=str(error).strip().splitlines()[0],
            fix="create it (cdcctl sync-topics; locally, cdcctl local up does)",
        ) from error
    finally:
        admin.close()
