"""A DMS task's start begins the local capture between a real PostgreSQL and a real broker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cdcctl.local.broker import sasl_settings
from tests.fakeaws.every_type import template
from tests.fakeaws.fixture import FakeAws
from tests.fakeaws.real_parts import LocalServers, servers_of, use_servers
from tests.local.running_stack import RunningStack, eventually, started

pytestmark = [pytest.mark.aws, pytest.mark.local, pytest.mark.slow]

CONFIG = Path(__file__).parents[1] / "local" / "tables.yaml"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with started(tmp_path_factory.mktemp("stack"), CONFIG) as stack:
        yield stack


def test_a_task_loads_its_table(fake_aws: FakeAws, running: RunningStack) -> None:
    servers = servers_of(running)
    use_servers(fake_aws, servers)
    dms = fake_aws.client("dms")
    schema, table = running.report.tables[0].table.split(".")
    rule = {"rule-id": "1", "rule-name": "1"} | {
        "object-locator": {"schema-name": schema, "table-name": table}
    }
    mappings = [
        {**rule, "rule-type": "selection", "rule-action": "explicit"},
        {**rule, "rule-type": "object-mapping", "kafka-target-topic": f"cdc-{table}"},
    ]
    arns = made_parts(dms, servers, mappings)
    dms.start_replication_task(
        ReplicationTaskArn=arns["task"], StartReplicationTaskType="start-replication"
    )

    def is_loaded() -> bool:
        found = dms.describe_table_statistics(ReplicationTaskArn=arns["task"])["TableStatistics"]
        return [row["TableState"] for row in found] == ["Table completed"]

    eventually(lambda: is_loaded() or None)
    dms.stop_replication_task(ReplicationTaskArn=arns["task"])
    task = dms.describe_replication_tasks()["ReplicationTasks"][0]
    assert task["Status"] == "stopped"


def made_parts(dms: Any, servers: LocalServers, rules: list[dict[str, Any]]) -> dict[str, str]:
    instance = dms.create_replication_instance(
        ReplicationInstanceIdentifier="i", ReplicationInstanceClass="dms.t3.medium"
    )["ReplicationInstance"]["ReplicationInstanceArn"]
    source = dms.create_endpoint(
        EndpointIdentifier="s",
        EndpointType="source",
        EngineName="postgres",
        ServerName="127.0.0.1",
        Port=servers.postgres_port,
        DatabaseName="fleet",
        Username=servers.postgres_user,
        Password=servers.postgres_password,
    )["Endpoint"]["EndpointArn"]
    target = dms.create_endpoint(
        EndpointIdentifier="t",
        EndpointType="target",
        EngineName="kafka",
        KafkaSettings={
            "Broker": servers.bootstrap_servers,
            "SaslUsername": servers.kafka_user,
            "SaslPassword": servers.kafka_password,
        },
    )["Endpoint"]["EndpointArn"]
    for endpoint in (source, target):
        dms.test_connection(ReplicationInstanceArn=instance, EndpointArn=endpoint)
    task = dms.create_replication_task(
        ReplicationTaskIdentifier="fake-task",
        SourceEndpointArn=source,
        TargetEndpointArn=target,
        ReplicationInstanceArn=instance,
        MigrationType="full-load-and-cdc",
        TableMappings=json.dumps({"rules": rules}),
    )["ReplicationTask"]["ReplicationTaskArn"]
    return {"instance": instance, "source": source, "target": target, "task": task}


def test_the_users_of_a_stacks_secrets_may_speak_to_the_broker(
    fake_aws: FakeAws, running: RunningStack
) -> None:
    from kafka import KafkaConsumer

    servers = servers_of(running)
    use_servers(fake_aws, servers)
    cloudformation = fake_aws.client("cloudformation")
    cloudformation.create_stack(StackName="users", TemplateBody=template())

    def status() -> str | None:
        found = cloudformation.describe_stacks(StackName="users")["Stacks"][0]["StackStatus"]
        return None if found.endswith("IN_PROGRESS") else str(found)

    assert eventually(status) == "CREATE_COMPLETE"
    held = fake_aws.client("secretsmanager").get_secret_value(SecretId="AmazonMSK_users_scram")
    login = json.loads(held["SecretString"])
    consumer = KafkaConsumer(
        bootstrap_servers=servers.bootstrap_servers,
        **sasl_settings(login["username"], login["password"]),
    )
    with closing(consumer):
        assert consumer.topics()
