"""The replication task and its endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cdcctl.aws.errors import AwsError
from cdcctl.aws.session import Aws

RUNNING = frozenset(("running", "starting", "running with errors"))
SETTLED = frozenset(("ready", "stopped", "failed", "running", "running with errors"))


@dataclass(frozen=True)
class Task:
    """The replication task."""

    arn: str
    status: str
    instance: str
    source: str
    target: str
    failure: str
    was_started: bool
    settings: str
    mappings: str
    """Settings and table mappings are JSON."""


def find_task(aws: Aws, identifier: str) -> Task | None:
    """Give a task by its name; None when there is none."""
    try:
        listed = list(
            aws.pages(
                "dms",
                "describe_replication_tasks",
                "ReplicationTasks",
                Filters=[{"Name": "replication-task-id", "Values": [identifier]}],
            )
        )
    except AwsError as error:
        if error.aws_code == "ResourceNotFoundFault":
            return None
        raise
    if not listed:
        return None
    found = listed[0]
    return Task(
        found["ReplicationTaskArn"],
        found["Status"],
        found["ReplicationInstanceArn"],
        found["SourceEndpointArn"],
        found["TargetEndpointArn"],
        found.get("LastFailureMessage") or found.get("StopReason", ""),
        found.get("ReplicationTaskStartDate") is not None or found["Status"] != "ready",
        found.get("ReplicationTaskSettings", ""),
        found["TableMappings"],
    )


def begin_test(aws: Aws, task: Task, endpoint: str) -> None:
    """Begin to test the way from the instance to an endpoint, unless a test is under way."""
    try:
        aws.call(
            "dms",
            "test_connection",
            ReplicationInstanceArn=task.instance,
            EndpointArn=endpoint,
        )
    except AwsError as error:
        if error.aws_code != "InvalidResourceStateFault":
            raise


def test_result(aws: Aws, task: Task, endpoint: str) -> tuple[str, str]:
    """Give the state of a test and why it failed."""
    listed = aws.pages(
        "dms",
        "describe_connections",
        "Connections",
        Filters=[
            {"Name": "endpoint-arn", "Values": [endpoint]},
            {"Name": "replication-instance-arn", "Values": [task.instance]},
        ],
    )
    found = next(iter(listed), None)
    if found is None:
        return "testing", ""
    return found["Status"], found.get("LastFailureMessage", "")


def start_task(aws: Aws, task: Task) -> None:
    """Start a task: the first time from the load, then from where it stopped."""
    aws.call(
        "dms",
        "start_replication_task",
        ReplicationTaskArn=task.arn,
        StartReplicationTaskType="resume-processing" if task.was_started else "start-replication",
    )


def stop_task(aws: Aws, task: Task) -> None:
    """Ask a task to stop."""
    aws.call("dms", "stop_replication_task", ReplicationTaskArn=task.arn)


def reload_tables(aws: Aws, task: Task, schema: str, tables: list[str]) -> None:
    """Ask a running task to load tables again."""
    aws.call(
        "dms",
        "reload_tables",
        ReplicationTaskArn=task.arn,
        TablesToReload=[{"SchemaName": schema, "TableName": name} for name in tables],
    )


@dataclass(frozen=True)
class TableLoad:
    """The newest load of a table."""

    state: str
    began: datetime | None
    rows: int
    failed_rows: int

    @property
    def is_complete(self) -> bool:
        """Tell whether every row was loaded."""
        return self.state == "Table completed" and not self.failed_rows


def table_loads(aws: Aws, task: Task, schema: str) -> dict[str, TableLoad]:
    """Give the newest load of each table of a schema."""
    listed = aws.pages(
        "dms",
        "describe_table_statistics",
        "TableStatistics",
        ReplicationTaskArn=task.arn,
        Filters=[{"Name": "schema-name", "Values": [schema]}],
    )
    return {
        each["TableName"]: TableLoad(
            each.get("TableState", ""),
            each.get("FullLoadStartTime"),
            int(each.get("FullLoadRows", 0)),
            int(each.get("FullLoadErrorRows", 0)),
        )
        for each in listed
    }


def endpoint_settings(aws: Aws, endpoint: str, kind: str) -> Mapping[str, Any]:
    """Give an endpoint's settings: `kind` is KafkaSettings or PostgreSQLSettings."""
    (found,) = aws.pages(
        "dms",
        "describe_endpoints",
        "Endpoints",
        Filters=[{"Name": "endpoint-arn", "Values": [endpoint]}],
    )
    held: Mapping[str, Any] = found.get(kind) or {}
    return held


def set_kafka_settings(aws: Aws, endpoint: str, settings: Mapping[str, Any]) -> None:
    """Change settings of a Kafka endpoint; the others stay."""
    aws.call("dms", "modify_endpoint", EndpointArn=endpoint, KafkaSettings=dict(settings))
