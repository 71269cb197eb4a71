"""The whole pipeline on this machine, from rows in PostgreSQL to a proof in the lake."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.lake.reader import ROWS, Lake
from cdcctl.local.broker import sasl_settings
from cdcctl.local.expected import CannotProve, Difference, differences, refusing_rules
from cdcctl.local.fleet import FleetCounts, FleetPlan
from cdcctl.local.layout import StackDirectory
from cdcctl.local.postgres import PostgresServer
from cdcctl.local.processes import last_lines
from cdcctl.operations.configuration import load_config
from cdcctl.operations.local_report import StackReport
from cdcctl.operations.local_stack import (
    UpRequest,
    reset_stack,
    stack_status,
    start_stack,
    stop_stack,
)
from cdcctl.operations.seed import seed_local
from glue_job.contract.lake import LakePaths
from glue_job.contract.model import Pipeline, Table

if TYPE_CHECKING:
    from cdcctl.ui.progress import Progress

FIRST_ROWS = 400
POLL_SECONDS = 0.5
SHOWN_DIFFERENCES = 5


@dataclass(frozen=True)
class DemoRequest:
    """What to show."""

    config: Path
    directory: Path
    artifacts: Path | None = None
    rows: int = 2_000
    rate: float = 0.0
    bad_share: float = 0.03
    seed: int = 7
    timeout_seconds: float = 240.0


@dataclass(frozen=True)
class TableProof:
    """One table at the end: what the source holds, what the lake made of it, whether they agree."""

    table: str
    source_rows: int
    current_rows: int
    versions: int
    quarantined: Mapping[str, int]
    """Refused events by the first rule that failed."""
    checks: int
    breached: int
    equal: int
    """Current rows that equal their source row after the table's transforms."""
    held_back: int
    """Source rows that a rule refuses: in quarantine; the lake keeps the version before."""
    faults: tuple[str, ...] = ()

    @property
    def is_proved(self) -> bool:
        """Tell whether every row is accounted for."""
        return not self.faults


@dataclass(frozen=True)
class DemoReport:
    """The end of the demo."""

    tables: tuple[TableProof, ...]
    counts: FleetCounts
    messages: int
    seconds: float
    lake: Path
    logs: Path
    config: Path

    @property
    def is_proved(self) -> bool:
        """Tell whether every table is proved."""
        return all(table.is_proved for table in self.tables)


@dataclass
class _Progressed:
    """How far the job is in the topics."""

    ends: dict[str, dict[int, int]] = field(default_factory=dict)
    done: dict[str, dict[int, int]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(end for partitions in self.ends.values() for end in partitions.values())

    @property
    def consumed(self) -> int:
        return sum(
            min(end, self.done.get(topic, {}).get(partition, 0))
            for topic, partitions in self.ends.items()
            for partition, end in partitions.items()
        )


def run_demo(request: DemoRequest, progress: Progress) -> DemoReport:
    """Start everything, write rows, wait for the lake, compare; leave nothing running."""
    began = time.monotonic()
    pipeline = load_config(request.config).pipeline
    stack = StackDirectory.resolve(request.directory)
    if stack_status(stack.root).is_up:
        raise CdcctlError(
            "LOC090",
            f"a local stack is up in {stack.root}",
            fix=f"cdcctl local down --dir {stack.root}, or name another folder with --dir",
        )
    if stack.is_stack:
        reset_stack(stack.root, progress)
    try:
        report = start_stack(
            UpRequest(
                config=request.config,
                directory=stack.root,
                artifacts=request.artifacts,
                trigger_seconds=1.0,
                ends_with_caller=True,
                first_rows=FIRST_ROWS,
                waits_for_job=False,
            ),
            progress,
        )
        plan = FleetPlan(
            rows=request.rows,
            rate=request.rate,
            bad_share=request.bad_share,
            seed=request.seed,
            schema=pipeline.source_database.schema_name,
        )
        counts = seed_local(stack.root, plan, progress).counts
        server = PostgresServer(stack, int(report.postgres["port"]))
        deadline = time.monotonic() + request.timeout_seconds
        _wait_for_capture(server, stack, deadline, progress)
        messages = _wait_for_lake(report, stack, pipeline, deadline, progress)
        progress.step("comparing the lake with the source, row by row")
        proofs = _prove(server, stack, pipeline)
    finally:
        stop_stack(stack.root, progress)
        _keep_lake_only(stack)
    return DemoReport(
        tables=proofs,
        counts=counts,
        messages=messages,
        seconds=time.monotonic() - began,
        lake=stack.lake,
        logs=stack.logs,
        config=request.config,
    )


def _keep_lake_only(stack: StackDirectory) -> None:
    for folder in (stack.postgres_data, stack.broker, stack.capture, stack.checkpoints):
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for_capture(
    server: PostgresServer, stack: StackDirectory, deadline: float, progress: Progress
) -> None:
    """Wait until all that was committed is in Kafka, acknowledged."""
    import psycopg2

    progress.step("waiting until the capture has written every change to Kafka")
    target: str | None = None
    while True:
        try:
            with closing(server.connect()) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT pg_current_wal_lsn()")
                target = target or (cursor.fetchone() or ("0/0",))[0]
                cursor.execute(
                    "SELECT bool_and(confirmed_flush_lsn >= %s::pg_lsn) FROM pg_replication_slots",
                    (target,),
                )
                if (cursor.fetchone() or (False,))[0]:
                    return
        except psycopg2.OperationalError:
            pass
        _give_up_when_late(stack, deadline, "Kafka did not get every change")
        time.sleep(0.2)


def _wait_for_lake(
    report: StackReport,
    stack: StackDirectory,
    pipeline: Pipeline,
    deadline: float,
    progress: Progress,
) -> int:
    """Wait until the job has an outcome for every offset of every topic; give their number."""
    progress.step("the job takes micro-batches from Kafka into the lake")
    progressed = _Progressed(ends=_end_offsets(report, stack, pipeline))
    lake = Lake(stack.lake, LakePaths.below(str(stack.lake)))
    topics = {table.name: table.topic for table in pipeline.streamed_tables}
    while True:
        progressed.done = _consumed_offsets(lake, stack.checkpoints, topics)
        progress.advance(progressed.consumed, progressed.total)
        if progressed.consumed >= progressed.total:
            return progressed.total
        what = f"the lake holds {progressed.consumed:,} of {progressed.total:,} messages"
        _give_up_when_late(stack, deadline, what)
        time.sleep(POLL_SECONDS)


def _end_offsets(
    report: StackReport, stack: StackDirectory, pipeline: Pipeline
) -> dict[str, dict[int, int]]:
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(
        bootstrap_servers=report.kafka["bootstrap_servers"],
        **sasl_settings(
            report.kafka["sasl_username"], stack.kafka_password.read_text(encoding="utf-8")
        ),
    )
    with closing(consumer):
        return {
            topic: {
                partition.partition: end
                for partition, end in consumer.end_offsets(
                    [
                        TopicPartition(topic, number)
                        for number in consumer.partitions_for_topic(topic) or ()
                    ]
                ).items()
            }
            for topic in dict.fromkeys(table.topic for table in pipeline.streamed_tables)
        }


def _consumed_offsets(
    lake: Lake, checkpoints: Path, topics: Mapping[str, str]
) -> dict[str, dict[int, int]]:
    """Give the end offsets of finished batches, by topic and partition.

    A batch is in the batch log before its rows are in the lake; Spark notes its end.
    """
    batches = lake.batches()
    consumed: dict[str, dict[int, int]] = {}
    if batches is None:
        return consumed
    finished = {name: _last_finished(checkpoints / name) for name in topics}
    for row in batches.query(f"SELECT table_name, batch_id, offsets FROM {ROWS}"):
        if row["batch_id"] > finished.get(row["table_name"], -1):
            continue
        done = consumed.setdefault(topics[row["table_name"]], {})
        for partitions in json.loads(row["offsets"]).values():
            for partition, (_first, end) in partitions.items():
                done[int(partition)] = max(end, done.get(int(partition), 0))
    return consumed


def _last_finished(checkpoint: Path) -> int:
    """Give the last batch whose end Spark has noted for a table's topic; -1 for none.

    The checkpoint of a topic is a folder of its table's, named by the topic's id.
    """
    noted = checkpoint.glob("*/commits/[0-9]*")
    return max((int(file.name) for file in noted if file.name.isdecimal()), default=-1)


def _give_up_when_late(stack: StackDirectory, deadline: float, what: str) -> None:
    status = stack_status(stack.root)
    failed = next((child for child in status.children if child.state == "failed"), None)
    if failed is not None:
        problem = failed.problem or {}
        lines = "\n".join(problem.get("lines", ()))
        raise CdcctlError(
            "LOC091",
            f"{what}: {failed.name} does not stay up",
            why=f"{problem.get('why', '')}; it last said\n{lines}",
            fix=problem.get("fix", ""),
            log=failed.log,
        )
    if not status.is_up:
        raise CdcctlError("LOC092", f"{what}: the local stack ended", fix="cdcctl demo")
    if time.monotonic() > deadline:
        log = stack.logs / "job.log"
        raise CdcctlError(
            "LOC093",
            f"{what} in time",
            why="\n".join(last_lines(log, 5)),
            fix="give it more time with --timeout, or read the log",
            exit_code=ExitCode.TIMEOUT,
            log=log,
        )


def _prove(
    server: PostgresServer, stack: StackDirectory, pipeline: Pipeline
) -> tuple[TableProof, ...]:
    lake = Lake(stack.lake, LakePaths.below(str(stack.lake)))
    schema = pipeline.source_database.schema_name
    with closing(server.connect()) as connection:
        return tuple(
            _prove_table(lake, table, _source_rows(connection, schema, table))
            for table in pipeline.streamed_tables
        )


def _source_rows(connection: Any, schema: str, table: Table) -> dict[tuple[Any, ...], Any]:
    columns = ", ".join(f'"{name}"' for name in table.column_names)
    with connection, connection.cursor() as cursor:
        cursor.execute(f'SELECT {columns} FROM "{schema}"."{table.name}"')
        rows = [dict(zip(table.column_names, row, strict=True)) for row in cursor.fetchall()]
    return {tuple(row[name] for name in table.primary_key): row for row in rows}


def _prove_table(
    lake: Lake, table: Table, source: Mapping[tuple[Any, ...], Mapping[str, Any]]
) -> TableProof:
    history, refused = lake.history(table.name), lake.quarantine(table.name)
    versions = history.query(f"SELECT count(*) AS n FROM {ROWS}")[0]["n"] if history else 0
    rows = history.query(f"SELECT * FROM {ROWS} WHERE _is_current") if history else []
    current = {tuple(row[name] for name in table.primary_key): row for row in rows}
    refusals = refused.query(f"SELECT * FROM {ROWS}") if refused else []
    in_quarantine = {tuple(row[name] for name in table.primary_key) for row in refusals}
    faults: list[str] = []
    if len(current) != len(rows):
        faults.append(f"{len(rows) - len(current)} keys have more than one current row")
    equal = held_back = 0
    try:
        for key, row in source.items():
            if rules := refusing_rules(table, row):
                held_back += 1
                if key not in in_quarantine:
                    faults.append(f"{_spelled(key)}: {rules[0]} refuses it, quarantine lacks it")
            elif key not in current:
                faults.append(f"{_spelled(key)}: not in the lake")
            elif different := differences(table, key, row, current[key]):
                faults += [_spelled_difference(each) for each in different]
            else:
                equal += 1
    except CannotProve as error:
        faults.append(f"cannot be compared: {error}")
    faults += [f"{_spelled(key)}: not in the source" for key in current if key not in source]
    checks = _checks(lake, table.name)
    return TableProof(
        table=table.name,
        source_rows=len(source),
        current_rows=len(rows),
        versions=versions,
        quarantined=dict(Counter(row["_failed_rule"] for row in refusals).most_common()),
        checks=sum(checks.values()),
        breached=checks[False],
        equal=equal,
        held_back=held_back,
        faults=tuple(faults),
    )


def _checks(lake: Lake, table: str) -> Counter[bool]:
    metrics = lake.metrics()
    if metrics is None:
        return Counter()
    rows = metrics.query(f"SELECT table_name, passed FROM {ROWS}")
    return Counter(row["passed"] is not False for row in rows if row["table_name"] == table)


def _spelled(key: tuple[Any, ...]) -> str:
    return f"key {', '.join(map(str, key))}"


def _spelled_difference(each: Difference) -> str:
    return f"{_spelled(each.key)}: {each.column} is {each.found!r}, expected {each.expected!r}"
