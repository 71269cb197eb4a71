"""Puts real parts behind an account's services: Spark, PostgreSQL, a Kafka broker, the capture."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from cdcctl.local.artifacts import locked_jars, spark_jars
from cdcctl.local.broker import sasl_settings
from cdcctl.local.java import find_java
from cdcctl.local.postgres import OWNER
from cdcctl.ui.progress import SilentProgress
from tests.fakeaws.fixture import FakeAws
from tests.local.running_stack import RunningStack

S3_LOCK = Path(__file__).with_name("s3-jars.lock")
_ROOT = Path(__file__).resolve().parents[2]
_CAPTURE = (
    f"import sys; sys.path.insert(0, {str(_ROOT)!r});"
    " from tests.fakeaws.capture import main; sys.exit(main())"
)


@dataclass(frozen=True)
class LocalServers:
    """The servers that stand for RDS and MSK, with the users that may do everything there."""

    postgres_port: int
    postgres_user: str
    postgres_password: str
    bootstrap_servers: str
    kafka_user: str
    kafka_password: str


def servers_of(running: RunningStack) -> LocalServers:
    """Give the servers of a local stack."""
    stack, report = running.stack, running.report
    return LocalServers(
        postgres_port=int(report.postgres["port"]),
        postgres_user=OWNER,
        postgres_password=stack.password(stack.postgres_password),
        bootstrap_servers=report.kafka["bootstrap_servers"],
        kafka_user=report.kafka["sasl_username"],
        kafka_password=stack.password(stack.kafka_password),
    )


def run_jobs_here(fake: FakeAws, **environment: str) -> None:
    """Have Glue's runs start Spark processes; the fetch of its jars is 280 MB, once."""
    progress = SilentProgress()
    jars = [*spark_jars(progress), *locked_jars(S3_LOCK, "S3", progress)]
    fake.settings(
        glue_python=sys.executable,
        glue_jars=",".join(map(str, jars)),
        glue_env={"JAVA_HOME": str(find_java().path), **environment},
        glue_arguments={"--security-protocol": "SASL_PLAINTEXT"},
    )


def use_servers(fake: FakeAws, servers: LocalServers) -> None:
    """Have RDS and MSK give these servers' addresses, and a task's start begin the capture.

    Users of SCRAM secrets are made at the broker when a stack associates them.
    """
    fake.settings(
        rds_host="127.0.0.1",
        rds_port=str(servers.postgres_port),
        rds_username=servers.postgres_user,
        rds_password=servers.postgres_password,
        kafka_bootstrap=servers.bootstrap_servers,
        kafka_admin={
            "bootstrap_servers": servers.bootstrap_servers,
            **sasl_settings(servers.kafka_user, servers.kafka_password),
        },
        lambda_env={
            "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "DB_SSLMODE": "disable",
            "BROKERS": "1",
        },
        dms_capture=[sys.executable, "-c", _CAPTURE],
    )
