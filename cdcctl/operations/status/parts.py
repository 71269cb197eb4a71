"""The parts of a pipeline as AWS sees them; each is read by one function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cdcctl.aws import glue, s3
from cdcctl.aws.cloudformation import StackState
from cdcctl.operations.lakes import filled
from cdcctl.operations.problem import Problem
from cdcctl.operations.target import Target
from glue_job import alerts
from glue_job.contract import telemetry
from glue_job.contract.model import Pipeline

_METRIC_MINUTES = 15


@dataclass(frozen=True)
class Source:
    """The database: percent, bytes."""

    status: str
    version: str
    cpu_percent: float | None
    slot_lag_bytes: float | None
    free_bytes: float | None


@dataclass(frozen=True)
class Cluster:
    """The Kafka cluster."""

    state: str
    version: str
    disk_percent: float | None


@dataclass(frozen=True)
class Replication:
    """The DMS task: seconds of latency, and what it did by table."""

    status: str
    started_at: datetime | None
    stop_reason: str
    failure: str
    errors: int | None
    """Tables that the task does not go on with."""
    source_latency_seconds: float | None
    target_latency_seconds: float | None
    tables: Mapping[str, TableCapture]


@dataclass(frozen=True)
class TableCapture:
    """What DMS has sent of one table since the task's start."""

    state: str
    loaded: int
    inserts: int
    updates: int
    deletes: int


@dataclass(frozen=True)
class JobRun:
    """The newest run of the Glue job; a run that ended for maintenance is followed."""

    state: str
    run_id: str
    started_at: datetime | None
    error: str
    workers: str
    arguments: Mapping[str, str]


def read_source(target: Target, stack: StackState) -> Source:
    """Ask RDS, and CloudWatch for processor, slot lag and free disk."""
    identifier = stack.outputs["DbInstanceIdentifier"]
    (found,) = target.aws.call("rds", "describe_db_instances", DBInstanceIdentifier=identifier)[
        "DBInstances"
    ]
    of = [{"Name": "DBInstanceIdentifier", "Value": identifier}]
    cpu, lag, free = newest_values(
        target,
        [
            ("AWS/RDS", "CPUUtilization", of, "Average"),
            ("AWS/RDS", "OldestReplicationSlotLag", of, "Maximum"),
            ("AWS/RDS", "FreeStorageSpace", of, "Minimum"),
        ],
    )
    return Source(found["DBInstanceStatus"], found.get("EngineVersion", ""), cpu, lag, free)


def read_cluster(target: Target, stack: StackState) -> Cluster:
    """Ask MSK, and CloudWatch for the fullest broker's disk."""
    arn = stack.outputs["ClusterArn"]
    found = target.aws.call("kafka", "describe_cluster_v2", ClusterArn=arn)["ClusterInfo"]
    held = found.get("Provisioned", {})
    version = held.get("CurrentBrokerSoftwareInfo", {}).get("KafkaVersion", "")
    brokers = [
        [
            {"Name": "Cluster Name", "Value": found["ClusterName"]},
            {"Name": "Broker ID", "Value": str(number)},
        ]
        for number in range(1, int(held.get("NumberOfBrokerNodes", 0)) + 1)
    ]
    disks = newest_values(
        target, [("AWS/Kafka", "KafkaDataLogsDiskUsed", of, "Maximum") for of in brokers]
    )
    known = [value for value in disks if value is not None]
    return Cluster(found["State"], version, max(known, default=None))


def read_replication(target: Target, stack: StackState) -> Replication:
    """Ask DMS for the task and its tables, and CloudWatch for its latency."""
    arn = stack.outputs["ReplicationTaskArn"]
    (task,) = target.aws.pages(
        "dms",
        "describe_replication_tasks",
        "ReplicationTasks",
        Filters=[{"Name": "replication-task-arn", "Values": [arn]}],
    )
    of = [
        {
            "Name": "ReplicationInstanceIdentifier",
            "Value": task["ReplicationInstanceArn"].rpartition(":")[2],
        },
        {"Name": "ReplicationTaskIdentifier", "Value": arn.rpartition(":")[2]},
    ]
    source, sink = newest_values(
        target,
        [
            ("AWS/DMS", "CDCLatencySource", of, "Maximum"),
            ("AWS/DMS", "CDCLatencyTarget", of, "Maximum"),
        ],
    )
    statistics = target.aws.pages(
        "dms", "describe_table_statistics", "TableStatistics", ReplicationTaskArn=arn
    )
    tables = {
        each["TableName"]: TableCapture(
            each.get("TableState", ""),
            int(each.get("FullLoadRows", 0)),
            int(each.get("Inserts", 0)),
            int(each.get("Updates", 0)),
            int(each.get("Deletes", 0)),
        )
        for each in statistics
    }
    return Replication(
        task["Status"],
        task.get("ReplicationTaskStartDate"),
        task.get("StopReason", ""),
        task.get("LastFailureMessage", ""),
        task.get("ReplicationTaskStats", {}).get("TablesErrored"),
        source,
        sink,
        tables,
    )


def read_job(target: Target, stack: StackState) -> JobRun | None:
    """Ask Glue for the run that counts; None when the job never ran."""
    runs = target.aws.call(
        "glue", "get_job_runs", JobName=stack.outputs["GlueJobName"], MaxResults=10
    )["JobRuns"]
    found = run_that_counts(runs)
    if found is None:
        return None
    workers = f"{found.get('NumberOfWorkers', '?')}x{found.get('WorkerType', '?')}"
    return JobRun(
        found["JobRunState"],
        found["Id"],
        found.get("StartedOn"),
        found.get("ErrorMessage", ""),
        workers,
        found.get("Arguments", {}),
    )


def run_that_counts(runs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Give the run that lives, else the newest; one that Glue ended for maintenance has a heir.

    A run that ends in the maintenance window is EXPIRED and goes on as `<id>_restart_N`.
    """
    living = next((run for run in runs if run["JobRunState"] in glue.LIVE), None)
    return living or next(iter(runs), None)


@dataclass(frozen=True)
class Lag:
    """What of a table waits in Kafka, as the job told last."""

    messages: int | None
    seconds: float | None
    batch_seconds: float | None
    """What nineteen of twenty batches took at most."""


_TOLD = (("lag_messages", "Maximum"), ("lag_seconds", "Maximum"), ("batch_seconds", "p95"))


def read_lags(target: Target, tables: Sequence[str]) -> dict[str, Lag]:
    """Ask CloudWatch what the job told of each table; brokers do not know how far Spark is."""
    found = newest_values(
        target,
        [
            (
                telemetry.NAMESPACE,
                metric,
                [
                    {"Name": name, "Value": value}
                    for name, value in zip(telemetry.DIMENSIONS, (target.stack, table), strict=True)
                ],
                statistic,
            )
            for table in tables
            for metric, statistic in _TOLD
        ],
    )
    told = (found[place :: len(_TOLD)] for place in range(len(_TOLD)))
    return {
        table: Lag(None if messages is None else int(messages), seconds, batch_seconds)
        for table, messages, seconds, batch_seconds in zip(tables, *told, strict=True)
    }


def read_halted(target: Target, pipeline: Pipeline) -> dict[str, Problem]:
    """Read, of each table whose stream does not go on, why: the job keeps it by its checkpoints."""
    checkpoints = filled(pipeline.settings.checkpoint_location, target)
    found = {}
    for table in pipeline.streamed_tables:
        address = alerts.alerts_file(checkpoints, table.name).removeprefix("s3://")
        bucket, _, key = address.partition("/")
        kept = s3.read(target.aws, bucket, key)
        with suppress(*alerts.UNREADABLE):
            halted = alerts.standing_problem(kept.decode("utf-8"), alerts.STREAM) if kept else None
            if halted is not None:
                found[table.name] = Problem(f"{table.name} {halted.text}", halted.fix)
    return found


def read_deployed_config(target: Target, stack: StackState) -> str | None:
    """Give the hash of the config that the job runs with, from the job's own arguments."""
    job = target.aws.call("glue", "get_job", JobName=stack.outputs["GlueJobName"])["Job"]
    address = job.get("DefaultArguments", {}).get("--config", "")
    parts = str(address).split("/")
    return parts[-2] if len(parts) > 2 else None


def hash_of_file(file: Path) -> str:
    """Give the hash under which a config is deployed."""
    return sha256(file.read_bytes()).hexdigest()[:16]


def newest_values(
    target: Target, wanted: Sequence[tuple[str, str, list[dict[str, str]], str]]
) -> list[float | None]:
    """Give the newest value of each metric (namespace, name, dimensions, statistic)."""
    if not wanted:
        return []
    now = datetime.now(UTC)
    results = target.aws.pages(
        "cloudwatch",
        "get_metric_data",
        "MetricDataResults",
        StartTime=now - timedelta(minutes=_METRIC_MINUTES),
        EndTime=now + timedelta(minutes=1),  # exclusive, and sent in whole seconds
        ScanBy="TimestampDescending",
        MetricDataQueries=[
            {
                "Id": f"m{place}",
                "MetricStat": {
                    "Metric": {"Namespace": space, "MetricName": name, "Dimensions": of},
                    "Period": 60,
                    "Stat": statistic,
                },
            }
            for place, (space, name, of, statistic) in enumerate(wanted)
        ],
    )
    newest = {each["Id"]: next(iter(each.get("Values", ())), None) for each in results}
    return [newest.get(f"m{place}") for place in range(len(wanted))]
