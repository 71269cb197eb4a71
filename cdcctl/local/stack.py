"""The local stack as one supervised tree: `python -m cdcctl.local.stack --settings FILE`."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cdcctl
from cdcctl.local import broker as kafka_broker
from cdcctl.local import postgres as postgres_server
from cdcctl.local.broker import Broker
from cdcctl.local.capture_state import FILE as CAPTURE_STATE
from cdcctl.local.fleet import FleetPlan, write_fleet
from cdcctl.local.java import JavaHome
from cdcctl.local.layout import StackDirectory, write_whole
from cdcctl.local.postgres import DATABASE, OWNER, PostgresServer
from cdcctl.local.processes import ProcessIdentity, free_port, is_port_free
from cdcctl.local.source_setup import apply_statements
from cdcctl.local.supervisor import Child, Supervisor, Task, end_leftovers
from cdcctl.local.topics import create_topics

ALREADY_UP = 75
"""Exit code of a supervisor that found another one at work."""


@dataclass(frozen=True)
class StackSettings:
    """All that a supervisor needs: everything checked and compiled before it starts."""

    root: str
    config: str
    config_hash: str
    java_home: str
    java_version: str
    broker_jars: tuple[str, ...]
    spark_jars: tuple[str, ...]
    sasl_username: str
    statements: tuple[tuple[str, str], ...]
    columns: dict[str, tuple[str, ...]]
    topics: tuple[dict[str, Any], ...]
    captured: dict[str, str]
    """`schema.table` -> topic."""
    postgres_port: int = 0
    kafka_port: int = 0
    trigger_seconds: float = 2.0
    capture_options: tuple[str, ...] = ()
    with_job: bool = True
    first_rows: int = 0
    schema: str = "public"
    job_environment: dict[str, str] = field(default_factory=dict)
    job_options: tuple[str, ...] = ()

    @classmethod
    def read(cls, file: Path) -> StackSettings:
        """Read the settings that `write` wrote."""
        document = json.loads(file.read_text(encoding="utf-8"))
        return cls(**document)

    def write(self, file: Path) -> None:
        """Hand the settings to a supervisor; they hold no secret."""
        write_whole(file, json.dumps(asdict(self), indent=1))


def assemble(settings: StackSettings) -> Supervisor:
    """Put the children in their order: servers, tables and topics, capture, job."""
    stack = StackDirectory(Path(settings.root))
    postgres = PostgresServer(stack, settings.postgres_port or free_port())
    java = JavaHome(Path(settings.java_home), settings.java_version)
    broker = Broker(
        stack=stack,
        java=java,
        jars=tuple(Path(jar) for jar in settings.broker_jars),
        port=settings.kafka_port or free_port(),
        controller_port=free_port(),
        username=settings.sasl_username,
    )
    stack.password(stack.postgres_password)
    stack.password(stack.kafka_password)

    def prepare_postgres() -> None:
        postgres.initialize()
        postgres.clear_stale_lock()

    def make_tables() -> None:
        postgres.create_database()
        with closing(postgres.connect()) as connection:
            apply_statements(connection, settings.statements, settings.columns)

    def make_rows() -> None:
        plan = FleetPlan(rows=settings.first_rows, schema=settings.schema)
        write_fleet(postgres.connect, plan)

    def make_topics() -> None:
        with closing(broker.admin()) as admin:
            create_topics(admin, settings.topics)

    capture_state = StateFile(stack.capture / CAPTURE_STATE, '"state": "running"')
    children = [
        Child(
            name="postgres",
            command=postgres.command,
            log=stack.logs / "postgres.log",
            is_ready=lambda: not is_port_free(postgres.port) and postgres.is_ready(),
            prepare=prepare_postgres,
            user=postgres.system_user,
            stop_signal=postgres_server.DEATH_SIGNAL,
            diagnoses=postgres_server.DIAGNOSES,
        ),
        Child(
            name="broker",
            command=broker.command,
            log=stack.logs / "broker.log",
            is_ready=lambda: not is_port_free(broker.port) and broker.is_ready(),
            environment=java.environment(),
            prepare=broker.initialize,
            diagnoses=kafka_broker.DIAGNOSES,
        ),
        Child(
            name="capture",
            command=lambda: _capture_command(settings, stack, postgres, broker),
            log=stack.logs / "capture.log",
            is_ready=capture_state.is_written,
            after=("tables", "topics", *(("first rows",) if settings.first_rows else ())),
            environment=child_environment(),
            prepare=capture_state.arm,
            stop_rank=1,
        ),
    ]
    tasks = [
        Task("tables", make_tables, ("postgres",)),
        Task("topics", make_topics, ("broker",)),
    ]
    if settings.first_rows:
        tasks.append(Task("first rows", make_rows, ("tables",)))
    if settings.with_job:
        children.append(_job(settings, stack, broker, java))
    return Supervisor(
        children=children,
        tasks=tasks,
        state_file=stack.state,
        facts={
            "supervisor": asdict(ProcessIdentity.of(os.getpid()) or ProcessIdentity(0, 0.0)),
            "started_at": time.time(),
            "config": settings.config,
            "config_hash": settings.config_hash,
            "postgres": {
                "host": "127.0.0.1",
                "port": postgres.port,
                "database": DATABASE,
                "user": OWNER,
                "password_file": str(stack.postgres_password),
            },
            "kafka": {
                "bootstrap_servers": broker.bootstrap_servers,
                "sasl_username": settings.sasl_username,
                "password_file": str(stack.kafka_password),
            },
            "tables": settings.captured,
            "lake": str(stack.lake),
        },
    )


def _capture_command(
    settings: StackSettings, stack: StackDirectory, postgres: PostgresServer, broker: Broker
) -> list[str]:
    stack.capture.mkdir(exist_ok=True)
    tables = [
        part for name, topic in settings.captured.items() for part in ("--table", f"{name}={topic}")
    ]
    return [
        *(sys.executable, "-m", "cdcctl.local.capture"),
        *("--postgres", f"127.0.0.1:{postgres.port}"),
        *("--database", DATABASE, "--user", OWNER),
        *("--postgres-password-file", str(stack.postgres_password)),
        *("--bootstrap-servers", broker.bootstrap_servers),
        *("--sasl-username", settings.sasl_username),
        *("--sasl-password-file", str(stack.kafka_password)),
        *("--directory", str(stack.capture)),
        *tables,
        *settings.capture_options,
    ]


def _job(settings: StackSettings, stack: StackDirectory, broker: Broker, java: JavaHome) -> Child:
    state = StateFile(stack.job_state)

    def prepare() -> None:
        stack.job_stop.unlink(missing_ok=True)
        state.arm()

    def command() -> Sequence[str]:
        from cdcctl.local.job import job_command

        return [
            *job_command(
                config=Path(settings.config),
                lake=stack.lake,
                bootstrap_servers=broker.bootstrap_servers,
                sasl_username=settings.sasl_username,
                sasl_password_file=stack.kafka_password,
                checkpoint=stack.checkpoints,
                trigger_seconds=settings.trigger_seconds,
                stop_file=stack.job_stop,
                state_file=stack.job_state,
            ),
            *settings.job_options,
        ]

    return Child(
        name="job",
        command=command,
        log=stack.logs / "job.log",
        is_ready=state.is_written,
        after=("topics",),
        environment={
            **child_environment(java),
            "CDCCTL_SPARK_JARS": ",".join(settings.spark_jars),
            **settings.job_environment,
        },
        prepare=prepare,
        ask_to_stop=stack.job_stop.touch,
        stop_patience_seconds=15.0,
        ready_patience_seconds=240.0,
        stop_rank=2,
    )


class StateFile:
    """Tells whether a child has written its state file since it was started."""

    def __init__(self, file: Path, text: str = "") -> None:
        self._file = file
        self._text = text
        self._before: int | None = None

    def arm(self) -> None:
        """Note what was there before the child starts."""
        self._before = self._version()

    def is_written(self) -> bool:
        """Tell whether the file is new and holds the text."""
        if self._version() in {None, self._before}:
            return False
        return self._text in self._file.read_text(encoding="utf-8")

    def _version(self) -> int | None:
        try:
            return self._file.stat().st_mtime_ns
        except OSError:
            return None


def child_environment(java: JavaHome | None = None) -> dict[str, str]:
    """Give children this very code, whatever their working directory is."""
    environment = dict(os.environ) if java is None else java.environment()
    paths = (str(Path(cdcctl.__file__).parent.parent), environment.get("PYTHONPATH", ""))
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    environment["TZ"] = "UTC"  # as on Glue; their logs are merged by time
    return environment


def main(arguments: Sequence[str] | None = None) -> int:
    """Supervise the stack until SIGTERM, SIGINT, or the end of the owner."""
    parser = argparse.ArgumentParser(prog="python -m cdcctl.local.stack")
    parser.add_argument("--settings", required=True, type=Path)
    settings = StackSettings.read(parser.parse_args(arguments).settings)
    stack = StackDirectory(Path(settings.root))
    with stack.lock.open("a") as lock:
        if not _take(lock.fileno()):
            return ALREADY_UP
        end_leftovers(stack.state)
        stack.state.unlink(missing_ok=True)
        supervisor = assemble(settings)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(signum, lambda *_: supervisor.stop())
        supervisor.run()
    return 0


def _take(descriptor: int, patience_seconds: float = 2.0) -> bool:
    """Lock the stack for this process; a status command may hold the lock for a moment."""
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        else:
            return True


def is_supervised(stack: StackDirectory) -> bool:
    """Tell whether a supervisor is at work in this folder: it holds the lock while it lives."""
    if not stack.lock.exists():
        return False
    with stack.lock.open("r") as lock:
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


if __name__ == "__main__":
    sys.exit(main())
