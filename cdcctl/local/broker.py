"""The real Kafka broker of the local stack: KRaft, one JVM, SASL/SCRAM-SHA-512 on loopback."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdcctl.errors import CdcctlError
from cdcctl.local.java import JavaHome
from cdcctl.local.layout import StackDirectory, write_private, write_whole

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

LOG4J = """log4j.rootLogger=WARN, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=%d{ISO8601} %p %c{1}: %m%n
log4j.logger.kafka.server.KafkaRaftServer=INFO
"""

JVM_OPTIONS = ("-Xms96m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
"""A broker of one laptop: quick to start, small in memory."""


@dataclass(frozen=True)
class Broker:
    """One Kafka broker and controller in one process."""

    stack: StackDirectory
    java: JavaHome
    jars: tuple[Path, ...]
    port: int
    controller_port: int
    username: str

    @property
    def bootstrap_servers(self) -> str:
        """Give the address that clients use."""
        return f"127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """Hold the log segments."""
        return self.stack.broker / "data"

    @property
    def settings(self) -> Path:
        """Name the broker's settings; they hold its password, so only the owner reads them."""
        return self.stack.broker / "server.properties"

    def command(self) -> list[str]:
        """Give the command line of the broker."""
        return self._java("kafka.Kafka", str(self.settings))

    def initialize(self) -> None:
        """Write the settings and, at first start, format the log directory with the SCRAM user."""
        self.stack.broker.mkdir(parents=True, exist_ok=True)
        write_whole(self.stack.broker / "log4j.properties", LOG4J)
        write_private(self.settings, self._properties())
        done = self.stack.broker / ".formatted"
        if done.exists():
            return
        shutil.rmtree(self.data, ignore_errors=True)
        password = self.stack.password(self.stack.kafka_password)
        arguments = self.stack.broker / "format-arguments"
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        scram = f"SCRAM-SHA-512=[name={self.username},password={password}]"
        lines = ("format", "--config", str(self.settings), f"--cluster-id={cluster}")
        # A file of arguments keeps the password off the process list.
        write_private(arguments, "\n".join((*lines, "--add-scram", scram)) + "\n")
        try:
            subprocess.run(
                self._java("kafka.tools.StorageTool", f"@{arguments}"),
                check=True,
                capture_output=True,
                text=True,
                errors="replace",
            )
        except subprocess.CalledProcessError as error:
            output = f"{error.stdout}{error.stderr}".replace(password, "***").strip()
            raise CdcctlError(
                "LOC030",
                f"the Kafka broker could not format its log directory {self.data}",
                why="\n".join(output.splitlines()[-5:]),
                fix="check the disk space; else cdcctl local reset",
            ) from error
        finally:
            arguments.unlink()
        done.touch()

    def client_settings(self) -> dict[str, Any]:
        """Give what a kafka-python client needs to connect."""
        return {
            "bootstrap_servers": self.bootstrap_servers,
            **sasl_settings(self.username, self.stack.password(self.stack.kafka_password)),
        }

    def admin(self, timeout_ms: int = 10_000) -> KafkaAdminClient:
        """Open an admin client."""
        from kafka.admin import KafkaAdminClient

        return KafkaAdminClient(**self.client_settings(), request_timeout_ms=timeout_ms)

    def is_ready(self) -> bool:
        """Tell whether the broker lets a client in and answers it."""
        from kafka.errors import KafkaError

        try:
            admin = self.admin(3_000)
        except (KafkaError, OSError):
            return False
        try:
            admin.list_topics()
        except (KafkaError, OSError):
            return False
        finally:
            admin.close()
        return True

    def _java(self, main: str, *arguments: str) -> list[str]:
        return [
            str(self.java.executable),
            *JVM_OPTIONS,
            f"-Dlog4j.configuration=file:{self.stack.broker / 'log4j.properties'}",
            *("-cp", ":".join(str(jar) for jar in self.jars), main),
            *arguments,
        ]

    def _properties(self) -> str:
        password = self.stack.password(self.stack.kafka_password)
        login = (
            "org.apache.kafka.common.security.scram.ScramLoginModule required "
            f'username="{self.username}" password="{password}";'
        )
        settings = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "listeners": f"CLIENT://127.0.0.1:{self.port},"
            f"CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"CLIENT://127.0.0.1:{self.port}",
            "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "CLIENT",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
            "listener.name.client.scram-sha-512.sasl.jaas.config": login,
            # As MSK has it: a topic with rights is closed to all others, what has none is open.
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "true",
            "super.users": f"User:{self.username}",
            # A broker that was killed is let in again when its old session is over.
            "broker.session.timeout.ms": 2_000,
            "broker.heartbeat.interval.ms": 500,
            "log.dirs": self.data,
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 1,
            "group.initial.rebalance.delay.ms": 0,
            "num.network.threads": 2,
            "num.io.threads": 2,
            "log.cleaner.dedupe.buffer.size": 4_194_304,
            "log.retention.ms": -1,
            "controlled.shutdown.enable": "false",
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())


def sasl_settings(username: str, password: str) -> dict[str, Any]:
    """Give the settings of a kafka-python client on a SASL_PLAINTEXT listener of loopback."""
    return {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": username,
        "sasl_plain_password": password,
    }


DIAGNOSES: Sequence[tuple[re.Pattern[str], str, str]] = (
    (
        re.compile(r"Address already in use|failed to bind|Socket server failed to bind"),
        "its port is taken by another process",
        "cdcctl local down, then cdcctl local up: it takes a free port",
    ),
    (
        re.compile(r"Failed to acquire lock on file"),
        "a broker of an earlier run still uses its data",
        "wait a moment; it starts by itself when that one has ended",
    ),
    (
        re.compile(r"OutOfMemoryError"),
        "it ran out of memory",
        "end other programs, then cdcctl local down and cdcctl local up",
    ),
    (
        re.compile(
            r"No `?meta.properties|InconsistentClusterId|CorruptRecordException|"
            r"KafkaStorageException|InvalidRecordException|RuntimeException: No readable"
        ),
        "its log directory is damaged",
        "cdcctl local reset, then cdcctl local up",
    ),
)
"""What the end of the log says, what that means, what to do."""
