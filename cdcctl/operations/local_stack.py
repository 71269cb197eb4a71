"""Starts, stops, shows and removes the local stack."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdcctl.compile.ddl import column_additions, table_statements
from cdcctl.compile.topics import topics
from cdcctl.errors import CdcctlError
from cdcctl.local.artifacts import broker_jars, spark_jars
from cdcctl.local.java import find_java
from cdcctl.local.layout import StackDirectory
from cdcctl.local.processes import (
    ProcessIdentity,
    die_with_parent,
    end_group,
    is_port_free,
    last_lines,
)
from cdcctl.local.stack import ALREADY_UP, StackSettings, child_environment, is_supervised
from cdcctl.local.supervisor import Phase, end_leftovers, read_state
from cdcctl.operations.configuration import load_config, require_table
from cdcctl.operations.local_report import StackReport, read_report
from glue_job.consent import Consent

if TYPE_CHECKING:
    from cdcctl.ui.progress import Progress

UP_PATIENCE_SECONDS = 300.0
DOWN_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class UpRequest:
    """What to start, and where."""

    config: Path
    directory: Path | None = None
    artifacts: Path | None = None
    postgres_port: int = 0
    kafka_port: int = 0
    trigger_seconds: float = 2.0
    capture_options: tuple[str, ...] = ()
    with_job: bool = True
    ends_with_caller: bool = False
    """Whether the stack must not outlive this process."""
    first_rows: int = 0
    """Fleet rows that are there before the capture starts: it reads them by its full load."""
    waits_for_job: bool = True
    consent: Consent = field(default_factory=Consent)


def start_stack(request: UpRequest, progress: Progress) -> StackReport:
    """Start the stack, or attach to the one that is up; return when every process is ready."""
    stack = StackDirectory.resolve(request.directory)
    settings = _settings(stack, request, progress)
    if is_supervised(stack):
        _refuse_other_config(stack, settings)
        _refuse_consent(request.consent)
        _wait_until_ready(stack, None, progress)
        return read_report(stack, was_up=True)
    _create(stack)
    _refuse_taken_ports(request)
    file = stack.run / "settings.json"
    settings.write(file)
    progress.step("starting PostgreSQL, Kafka, the capture and the job")
    with (stack.logs / "supervisor.log").open("ab") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "cdcctl.local.stack", "--settings", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=child_environment(),
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM) if request.ends_with_caller else None,
            cwd="/",
        )
    try:
        _wait_until_ready(stack, supervisor, progress, request.waits_for_job)
    except BaseException:
        _end_supervisor(stack, supervisor)
        raise
    return read_report(stack)


def stop_stack(directory: Path | None, progress: Progress) -> bool:
    """Stop the stack; tell whether there was one. What a killed stack left behind is ended too."""
    stack = StackDirectory.resolve(directory)
    if is_supervised(stack):
        progress.step("stopping the local stack")
        _end_supervisor(stack, None)
        return True
    return bool(end_leftovers(stack.state))


def stack_status(directory: Path | None) -> StackReport:
    """Tell how the stack is, from what its supervisor and its processes last wrote."""
    return read_report(StackDirectory.resolve(directory))


def reset_stack(directory: Path | None, progress: Progress) -> Path | None:
    """Stop the stack and remove all of its data; give the folder, None when there is none."""
    stack = StackDirectory.resolve(directory)
    if not stack.root.exists():
        return None
    if not stack.is_stack:
        raise CdcctlError(
            "LOC050",
            f"{stack.root} is not the folder of a local stack; nothing was removed",
            fix="name the folder with --dir",
        )
    stop_stack(stack.root, progress)
    progress.step(f"removing {stack.root}")
    shutil.rmtree(stack.root)
    return stack.root


def _settings(stack: StackDirectory, request: UpRequest, progress: Progress) -> StackSettings:
    config = load_config(request.config)
    pipeline = config.pipeline
    for name in sorted(request.consent.tables):
        require_table(name, pipeline)
    schema = pipeline.source_database.schema_name
    tables = pipeline.streamed_tables
    java = find_java()
    jars = broker_jars(progress, request.artifacts)
    spark = spark_jars(progress, request.artifacts) if request.with_job else []
    return StackSettings(
        root=str(stack.root),
        config=str(request.config.absolute()),
        config_hash=config.config_hash,
        java_home=str(java.path),
        java_version=java.version,
        broker_jars=tuple(map(str, jars)),
        spark_jars=tuple(map(str, spark)),
        sasl_username=pipeline.kafka.sasl_username,
        statements=tuple(
            (each.name, each.sql)
            for each in (*table_statements(pipeline), *column_additions(pipeline))
        ),
        columns={f"{schema}.{table.name}": table.column_names for table in tables},
        topics=tuple(topic.as_document() for topic in topics(pipeline, brokers=1)),
        captured={f"{schema}.{table.name}": table.topic for table in tables},
        postgres_port=request.postgres_port,
        kafka_port=request.kafka_port,
        trigger_seconds=request.trigger_seconds,
        capture_options=request.capture_options,
        with_job=request.with_job,
        first_rows=request.first_rows,
        schema=schema,
        job_options=tuple(request.consent.as_options()),
    )


def _create(stack: StackDirectory) -> None:
    if stack.root.exists() and not stack.is_stack and any(stack.root.iterdir()):
        raise CdcctlError(
            "LOC051",
            f"{stack.root} holds other files; a local stack needs a folder of its own",
            fix="name an empty folder with --dir",
        )
    try:
        stack.create()
    except OSError as error:
        raise CdcctlError(
            "LOC052",
            f"the folder of the local stack {stack.root} cannot be made",
            why=str(error),
            fix="name another folder with --dir",
        ) from error


def _refuse_taken_ports(request: UpRequest) -> None:
    for port, option in (
        (request.postgres_port, "--postgres-port"),
        (request.kafka_port, "--kafka-port"),
    ):
        if port and not is_port_free(port):
            raise CdcctlError(
                "LOC053",
                f"port {port} is in use by another process",
                why=f"{option} {port} asks for it",
                fix=f"name another one, or leave {option} out: a free port is taken",
            )


def _refuse_other_config(stack: StackDirectory, settings: StackSettings) -> None:
    running = read_state(stack.state)
    if running.get("config_hash") in {None, settings.config_hash}:
        return
    raise CdcctlError(
        "LOC054",
        "the local stack is up with another config",
        why=f"it runs {running.get('config')} as it was when it started",
        fix="cdcctl local down, then cdcctl local up",
    )


def _refuse_consent(consent: Consent) -> None:
    if consent.tables:
        options = " ".join(consent.as_options())
        raise CdcctlError(
            "LOC063",
            "the local stack is up already, and what may pass is said when it starts",
            fix=f"cdcctl local down, then cdcctl local up {options}",
        )


def _wait_until_ready(
    stack: StackDirectory,
    supervisor: subprocess.Popen[bytes] | None,
    progress: Progress,
    waits_for_job: bool = True,
) -> None:
    deadline = time.monotonic() + UP_PATIENCE_SECONDS
    while time.monotonic() < deadline:
        state = read_state(stack.state)
        if supervisor is not None and state.get("supervisor", {}).get("pid") != supervisor.pid:
            state = {}
        children = {**state.get("tasks", {}), **state.get("children", {})}
        unready = {name for name, child in children.items() if child["state"] != "ready"}
        if children and not waits_for_job and unready == {"job"}:
            return
        progress.advance(len(children) - len(unready), len(children) or None)
        match state.get("phase"):
            case Phase.READY:
                return
            case Phase.FAILED:
                raise _failure(children)
            case Phase.STOPPING | Phase.STOPPED:
                raise CdcctlError("LOC055", "the local stack is being stopped", fix="try again")
        code = supervisor.poll() if supervisor is not None else None
        if code == ALREADY_UP:
            supervisor = None
        elif code is not None or (supervisor is None and not is_supervised(stack)):
            log = stack.logs / "supervisor.log"
            raise CdcctlError(
                "LOC056",
                "the supervisor of the local stack ended",
                why="\n".join(last_lines(log, 5)),
                fix="cdcctl local up",
                log=log,
            )
        time.sleep(0.1)
    raise CdcctlError(
        "LOC057",
        f"the local stack was not ready after {UP_PATIENCE_SECONDS:.0f} s",
        why=_unready(read_state(stack.state)),
        fix=f"read the logs in {stack.logs}",
    )


def _failure(children: dict[str, Any]) -> CdcctlError:
    name, child = next((n, c) for n, c in children.items() if c["state"] == "failed")
    problem = child["problem"] or {}
    lines = "\n".join(problem.get("lines", ()))
    return CdcctlError(
        "LOC058",
        f"{name} of the local stack does not start: {problem.get('what', '')}",
        why=problem.get("why", "") + (f"; it last said\n{lines}" if lines else ""),
        fix=problem.get("fix", ""),
        log=problem.get("log") or None,
    )


def _unready(state: dict[str, Any]) -> str:
    waiting = [n for n, c in state.get("children", {}).items() if c["state"] != "ready"]
    return f"not ready: {', '.join(waiting)}" if waiting else ""


def _end_supervisor(stack: StackDirectory, supervisor: subprocess.Popen[bytes] | None) -> None:
    """Ask the supervisor to stop all; the hard way when it does not."""
    found = read_state(stack.state).get("supervisor")
    identity = ProcessIdentity(found["pid"], found["started_at"]) if found else None
    if supervisor is not None:
        identity = ProcessIdentity.of(supervisor.pid)

    def has_ended() -> bool:
        if supervisor is not None:
            return supervisor.poll() is not None
        return not is_supervised(stack)

    if identity is not None and identity.is_alive():
        end_group(identity.pid, signal.SIGTERM, DOWN_PATIENCE_SECONDS, has_ended)
    end_leftovers(stack.state)
