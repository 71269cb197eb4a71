"""Asks every part at once and says what is wrong, each with the command that helps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from cdcctl.aws import dms, glue
from cdcctl.aws.cloudformation import StackState
from cdcctl.aws.errors import AwsError
from cdcctl.errors import CdcctlError
from cdcctl.lake.reader import Lake
from cdcctl.operations.configuration import load_config
from cdcctl.operations.cost.estimate import Estimate, deployed_cost
from cdcctl.operations.lakes import LakeRequest, lake_of_stack
from cdcctl.operations.problem import Problem, quarantine_problems
from cdcctl.operations.run_control import require_stack
from cdcctl.operations.status import parts
from cdcctl.operations.status.lake import TableLake, read_lake
from cdcctl.operations.target import Target, open_target
from glue_job.contract.model import Pipeline

BUDGET_SECONDS = 5.0
_SLOT_LAG_LIMIT = 5 * 1024**3
_LATENCY_LIMIT_SECONDS = 300.0
_LAG_LIMIT_SECONDS = 300.0
"""Of a table without sla_seconds."""
_DISK_LIMIT_PERCENT = 85.0
GIVEN_UP = frozenset(("Table error", "Table does not exist", "Table is being reloaded error"))

Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Part(Generic[Seen]):
    """What a source told; `absent` says why when it did not."""

    seen: Seen | None = None
    absent: str = ""


@dataclass(frozen=True)
class StatusReport:
    """The pipeline at one moment."""

    stack_name: str
    region: str
    at: datetime
    stack: StackState
    source: Part[parts.Source]
    cluster: Part[parts.Cluster]
    replication: Part[parts.Replication]
    job: Part[parts.JobRun]
    lake: Part[dict[str, TableLake]]
    lags: Part[dict[str, parts.Lag]]
    halted: Part[dict[str, Problem]]
    """Tables whose stream does not go on, as the job told."""
    deployed_config: Part[str]
    cost: Part[Estimate]
    local_config: str
    tables: tuple[str, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Tell whether every source told what it knows."""
        asked: tuple[Part[Any], ...] = (
            self.source,
            self.cluster,
            self.replication,
            self.job,
            self.lake,
            self.lags,
            self.halted,
            self.deployed_config,
        )
        return not any(part.absent for part in asked)

    @property
    def is_healthy(self) -> bool:
        """Tell whether nothing is wrong, as far as one can see, and one sees all."""
        return self.is_whole and not self.problems

    def command(self, words: str) -> str:
        """Spell a command on this stack."""
        return f"cdcctl {words} --stack {self.stack_name}"


@dataclass(frozen=True)
class Examined:
    """The stack to look at, its lake and the config here."""

    target: Target
    lake: Lake
    pipeline: Pipeline


def pipeline_status(request: LakeRequest) -> StatusReport:
    """Open the stack and its lake, and examine them now."""
    pipeline = load_config(request.config).pipeline
    target = open_target(request.target)
    examined = Examined(target, lake_of_stack(target, pipeline), pipeline)
    return examine(examined, request.config, datetime.now(UTC))


def glimpse(request: LakeRequest) -> StatusReport | AwsError:
    """Examine the stack for somebody who watches it: a failure that may pass is given."""
    try:
        return pipeline_status(request)
    except AwsError as error:
        if not error.is_transient:
            raise
        return error


def examine(examined: Examined, config: Path, at: datetime) -> StatusReport:
    """Ask all sources at once; what does not answer within its budget is left out and named."""
    target, pipeline = examined.target, examined.pipeline
    stack = require_stack(target)
    tables = tuple(table.name for table in pipeline.streamed_tables)
    asks: dict[str, Callable[[], Any]] = {
        "source": partial(parts.read_source, target, stack),
        "cluster": partial(parts.read_cluster, target, stack),
        "replication": partial(parts.read_replication, target, stack),
        "job": partial(parts.read_job, target, stack),
        "lake": partial(read_lake, examined.lake, tables, at),
        "lags": partial(parts.read_lags, target, tables),
        "halted": partial(parts.read_halted, target, pipeline),
        "deployed_config": partial(parts.read_deployed_config, target, stack),
        "cost": partial(deployed_cost, target.aws, stack),
    }
    pool = ThreadPoolExecutor(max_workers=len(asks))
    asked = {name: pool.submit(ask) for name, ask in asks.items()}
    ends_at = time.monotonic() + BUDGET_SECONDS
    told: dict[str, Any] = {name: _part(future, ends_at) for name, future in asked.items()}
    pool.shutdown(wait=False, cancel_futures=True)
    report = StatusReport(
        target.stack,
        target.aws.region,
        at,
        stack,
        local_config=parts.hash_of_file(config),
        tables=tables,
        **told,
    )
    return _with_problems(report, pipeline)


def _part(future: Future[Any], ends_at: float) -> Part[Any]:
    try:
        return Part(future.result(timeout=max(0.0, ends_at - time.monotonic())))
    except NotInTime:
        return Part(absent=f"no answer within {BUDGET_SECONDS:g} s")
    except CdcctlError as error:
        return Part(absent=error.what)
    except KeyError as error:
        return Part(absent=f"the stack has no output {error}")


def _with_problems(report: StatusReport, pipeline: Pipeline) -> StatusReport:
    found = [
        *_of_stack(report),
        *_of_source(report),
        *_of_replication(report),
        *_of_job(report),
        *_of_tables(report, pipeline),
    ]
    return replace(report, problems=tuple(found))


def _of_stack(report: StatusReport) -> list[Problem]:
    found = []
    status = report.stack.status
    if not status.endswith("_COMPLETE") or "ROLLBACK" in status:
        verb = "follows it" if status.endswith("_IN_PROGRESS") else "says why and goes on"
        found.append(Problem(f"the stack is {status}", f"{report.command('deploy')}   {verb}"))
    if report.stack.drift == "found":
        shows = (
            f"aws cloudformation describe-stack-resource-drifts --stack-name {report.stack_name}"
        )
        found.append(Problem("parts of the stack were changed by hand: it has drifted", shows))
    deployed = report.deployed_config.seen
    if deployed is not None and deployed != report.local_config:
        found.append(
            Problem(
                f"tables.yaml here ({report.local_config[:6]}) is not what is deployed"
                f" ({deployed[:6]})",
                report.command("plan"),
            )
        )
    return found


def _of_source(report: StatusReport) -> list[Problem]:
    found = []
    source, cluster = report.source.seen, report.cluster.seen
    if source is not None and source.status != "available":
        found.append(Problem(f"the database is {source.status}", report.command("logs cfn")))
    if source is not None and (source.slot_lag_bytes or 0) > _SLOT_LAG_LIMIT:
        found.append(
            Problem(
                f"the replication slot holds {(source.slot_lag_bytes or 0) / 1024**3:.1f} GiB of"
                " WAL back: the source's disk fills",
                report.command("start dms"),
            )
        )
    if cluster is not None and cluster.state != "ACTIVE":
        found.append(Problem(f"the Kafka cluster is {cluster.state}", report.command("logs msk")))
    if cluster is not None and (cluster.disk_percent or 0) > _DISK_LIMIT_PERCENT:
        found.append(
            Problem(
                f"a broker's disk is {cluster.disk_percent:.0f} % full", report.command("doctor")
            )
        )
    return found


def _of_replication(report: StatusReport) -> list[Problem]:
    task = report.replication.seen
    if task is None:
        return []
    found = []
    if task.status not in dms.RUNNING:
        why = task.failure or task.stop_reason
        found.append(
            Problem(
                f"DMS is {task.status}" + (f": {why}" if why else ""), report.command("start dms")
            )
        )
    latency = max(task.source_latency_seconds or 0, task.target_latency_seconds or 0)
    if latency > _LATENCY_LIMIT_SECONDS:
        found.append(
            Problem(f"DMS is {latency:.0f} s behind", report.command("logs dms --since 30m"))
        )
    for name, table in task.tables.items():
        if table.state in GIVEN_UP:
            found.append(
                Problem(f"DMS has given up {name}: {table.state}", report.command(f"reload {name}"))
            )
    return found


def _of_job(report: StatusReport) -> list[Problem]:
    if report.job.absent:
        return []
    run = report.job.seen
    if run is None:
        return [Problem("the job has never run", report.command("start glue"))]
    if run.state in glue.LIVE:
        return []
    why = f": {run.error}" if run.error else ""
    helps = f"{report.command('logs glue')}   then   {report.command('start glue')}"
    return [Problem(f"the job is {run.state}{why}", helps)]


def _of_tables(report: StatusReport, pipeline: Pipeline) -> list[Problem]:
    found = []
    halted = report.halted.seen or {}
    slas = {table.name: table.sla_seconds for table in pipeline.streamed_tables}
    for name in report.tables:
        told = (report.lake.seen or {}).get(name, TableLake())
        if name in halted:
            found.append(halted[name])
        found += quarantine_problems(
            name,
            told.quarantined_hour,
            told.consumed_hour,
            option=f" --stack {report.stack_name}",
        )
        found += _late(name, told, report, slas.get(name))
        errors = [each for each in told.breached if each.severity == "error"]
        if errors:
            worst = errors[0]
            column = f" {worst.column}" if worst.column else ""
            found.append(
                Problem(
                    f"{name}: {worst.metric}{column} is {worst.value} (threshold"
                    f" {worst.threshold})",
                    report.command(f"metrics show --table {name} --failed"),
                )
            )
    return found


def _late(name: str, told: TableLake, report: StatusReport, sla: int | None) -> list[Problem]:
    """Compare the lag with its limit; a batch's age counts only where no lag is known.

    An idle table has no batch, and is not late.
    """
    lag = (report.lags.seen or {}).get(name)
    if lag is not None and lag.seconds is not None:
        seconds, limit = lag.seconds, float(sla or _LAG_LIMIT_SECONDS)
        how = f"{lag.messages} messages wait in Kafka, the oldest for {seconds:.0f} s"
    elif told.newest_batch_at is not None and sla is not None:
        seconds, limit = (report.at - told.newest_batch_at).total_seconds(), float(sla)
        how = f"the newest batch is {seconds:.0f} s old"
    else:
        return []
    if seconds <= limit:
        return []
    logs = report.command(f"logs glue --table {name}")
    return [Problem(f"{name}: {how} (limit {limit:.0f} s)", logs)]


def as_data(report: StatusReport) -> dict[str, Any]:
    """Give the report as plain data."""

    def of(part: Part[Any]) -> Mapping[str, Any]:
        if part.seen is None:
            return {"absent": part.absent or "never seen"}
        return asdict(part.seen) if hasattr(part.seen, "__dataclass_fields__") else part.seen

    return {
        "stack": report.stack_name,
        "region": report.region,
        "at": report.at,
        "status": report.stack.status,
        "changed_at": report.stack.changed_at,
        "drift": report.stack.drift,
        "healthy": report.is_healthy,
        "config": {
            "deployed": report.deployed_config.seen,
            "local": report.local_config,
        },
        "cost": report.cost.seen.as_document()
        if report.cost.seen is not None
        else {"absent": report.cost.absent},
        "source": of(report.source),
        "kafka": of(report.cluster),
        "dms": of(report.replication),
        "glue": of(report.job),
        "tables": _tables(report),
        "lake": {"absent": report.lake.absent} if report.lake.seen is None else {},
        "lag": {"absent": report.lags.absent} if report.lags.seen is None else {},
        "alerts": {"absent": report.halted.absent} if report.halted.seen is None else {},
        "problems": [asdict(problem) for problem in report.problems],
    }


def _tables(report: StatusReport) -> dict[str, Any]:
    lake, lags = report.lake.seen or {}, report.lags.seen or {}
    return {
        name: {
            **(asdict(lake[name]) if name in lake else {}),
            "lag_messages": lags[name].messages if name in lags else None,
            "lag_seconds": lags[name].seconds if name in lags else None,
            "batch_seconds": lags[name].batch_seconds if name in lags else None,
        }
        for name in report.tables
    }
