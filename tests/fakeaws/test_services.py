"""The fake behaves as AWS is documented to: states, refusals, paging, faults, accounts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.fakeaws.fixture import FakeAws, FakeServer, new_account

pytestmark = pytest.mark.aws

MAPPINGS = {
    "rules": [
        {
            "rule-type": "selection",
            "rule-id": "1",
            "rule-name": "1",
            "object-locator": {"schema-name": "public", "table-name": "users"},
            "rule-action": "include",
        }
    ]
}


def refusal_code(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as refused:
        call()
    return str(refused.value.response["Error"]["Code"])


def made_task(fake: FakeAws, **more: Any) -> tuple[Any, dict[str, str]]:
    dms = fake.client("dms")
    instance = dms.create_replication_instance(
        ReplicationInstanceIdentifier="i", ReplicationInstanceClass="dms.t3.medium"
    )["ReplicationInstance"]["ReplicationInstanceArn"]
    ends = {
        kind: dms.create_endpoint(EndpointIdentifier=kind, EndpointType=kind, EngineName=engine)[
            "Endpoint"
        ]["EndpointArn"]
        for kind, engine in (("source", "postgres"), ("target", "kafka"))
    }
    task = dms.create_replication_task(
        ReplicationTaskIdentifier="t",
        SourceEndpointArn=ends["source"],
        TargetEndpointArn=ends["target"],
        ReplicationInstanceArn=instance,
        MigrationType="full-load-and-cdc",
        TableMappings=json.dumps(MAPPINGS),
        **more,
    )["ReplicationTask"]["ReplicationTaskArn"]
    return dms, {"instance": instance, "task": task, **ends}


def prove_connections(dms: Any, arns: dict[str, str]) -> None:
    for side in ("source", "target"):
        dms.test_connection(ReplicationInstanceArn=arns["instance"], EndpointArn=arns[side])


def status(dms: Any) -> str:
    return str(dms.describe_replication_tasks()["ReplicationTasks"][0]["Status"])


def start(dms: Any, arns: dict[str, str], kind: str = "start-replication") -> Any:
    return dms.start_replication_task(
        ReplicationTaskArn=arns["task"], StartReplicationTaskType=kind
    )


def test_a_task_starts_only_after_both_connections_were_tested(fake_aws: FakeAws) -> None:
    dms, arns = made_task(fake_aws)
    assert refusal_code(lambda: start(dms, arns)) == "InvalidResourceStateFault"
    prove_connections(dms, arns)
    start(dms, arns)
    assert status(dms) == "running"
    assert refusal_code(lambda: start(dms, arns)) == "InvalidResourceStateFault"


def test_a_task_that_ran_is_resumed_and_not_started_anew(fake_aws: FakeAws) -> None:
    dms, arns = made_task(fake_aws)
    prove_connections(dms, arns)
    start(dms, arns)
    dms.stop_replication_task(ReplicationTaskArn=arns["task"])
    assert status(dms) == "stopped"
    assert refusal_code(lambda: start(dms, arns)) == "InvalidParameterCombinationException"
    start(dms, arns, "resume-processing")
    assert status(dms) == "running"


def test_a_running_task_is_neither_modified_nor_deleted(fake_aws: FakeAws) -> None:
    dms, arns = made_task(fake_aws)
    prove_connections(dms, arns)
    start(dms, arns)
    for call in (dms.modify_replication_task, dms.delete_replication_task):
        code = refusal_code(lambda call=call: call(ReplicationTaskArn=arns["task"]))
        assert code == "InvalidResourceStateFault"


def test_a_connection_fails_with_the_message_that_was_set(fake_aws: FakeAws) -> None:
    fake_aws.cfnfail(**{"dms-connection": "no route to host"})
    dms, arns = made_task(fake_aws)
    prove_connections(dms, arns)
    found = dms.describe_connections()["Connections"]
    assert {(c["Status"], c["LastFailureMessage"]) for c in found} == {
        ("failed", "no route to host")
    }


def test_settings_of_an_endpoint_are_added_to_those_it_has(fake_aws: FakeAws) -> None:
    dms, arns = made_task(fake_aws)
    for settings in ({"Topic": "a"}, {"UseLargeIntegerValue": True}):
        dms.modify_endpoint(EndpointArn=arns["target"], KafkaSettings=settings)
    filters = [{"Name": "endpoint-arn", "Values": [arns["target"]]}]
    found = dms.describe_endpoints(Filters=filters)["Endpoints"][0]["KafkaSettings"]
    assert found == {"Topic": "a", "UseLargeIntegerValue": True}


def test_statistics_come_in_pages_and_tables_are_reloaded(fake_aws: FakeAws) -> None:
    fake_aws.settings(dms_tables=250)
    dms, arns = made_task(fake_aws)
    prove_connections(dms, arns)
    start(dms, arns)
    pages = list(
        dms.get_paginator("describe_table_statistics").paginate(ReplicationTaskArn=arns["task"])
    )
    assert [len(page["TableStatistics"]) for page in pages] == [100, 100, 50]
    fake_aws.speed(60)
    dms.reload_tables(
        ReplicationTaskArn=arns["task"],
        TablesToReload=[{"SchemaName": "public", "TableName": "t1"}],
    )
    first = dms.describe_table_statistics(ReplicationTaskArn=arns["task"])["TableStatistics"]
    assert first[1]["TableState"] == "Table is being reloaded"


def test_the_capture_begins_and_ends_with_the_task(fake_aws: FakeAws, tmp_path: Any) -> None:
    code = "import os,sys,time; open(sys.argv[1],'w').write(os.environ['FAKE_DMS_TASK'])"
    argv = ["python3", "-c", f"{code}; time.sleep(60)", str(tmp_path / "began")]
    fake_aws.settings(dms_capture=argv)
    dms, arns = made_task(fake_aws)
    prove_connections(dms, arns)
    start(dms, arns)
    ends_at = time.monotonic() + 10
    while not (tmp_path / "began").exists() and time.monotonic() < ends_at:
        time.sleep(0.05)
    assert (tmp_path / "began").exists()
    dms.stop_replication_task(ReplicationTaskArn=arns["task"])
    assert status(dms) == "stopped"


def test_a_task_whose_capture_dies_has_failed_with_its_last_line(fake_aws: FakeAws) -> None:
    fake_aws.settings(dms_capture=["python3", "-c", "raise SystemExit('no slot')"])
    dms, arns = made_task(fake_aws)
    prove_connections(dms, arns)
    start(dms, arns)
    ends_at = time.monotonic() + 10
    while status(dms) != "failed" and time.monotonic() < ends_at:
        time.sleep(0.05)
    task = dms.describe_replication_tasks()["ReplicationTasks"][0]
    assert task["LastFailureMessage"] == "the capture ended with 1: no slot"


def made_job(fake: FakeAws, **more: Any) -> Any:
    glue = fake.client("glue")
    command = {"Name": "gluestreaming", "ScriptLocation": "s3://code/main.py"}
    glue.create_job(Name="j", Role="r", Command=command, **more)
    return glue


def run_state(glue: Any, run: str) -> str:
    return str(glue.get_job_run(JobName="j", RunId=run)["JobRun"]["JobRunState"])


def test_a_streaming_run_goes_on_until_it_is_stopped(fake_aws: FakeAws) -> None:
    glue = made_job(fake_aws)
    run = glue.start_job_run(JobName="j")["JobRunId"]
    assert run_state(glue, run) == "RUNNING"
    code = refusal_code(lambda: glue.start_job_run(JobName="j"))
    assert code == "ConcurrentRunsExceededException"
    glue.batch_stop_job_run(JobName="j", JobRunIds=[run])
    assert run_state(glue, run) == "STOPPED"


def test_a_run_fails_with_the_message_that_was_set(fake_aws: FakeAws) -> None:
    fake_aws.cfnfail(**{"glue-run": {"reason": "out of memory", "times": 1}})
    glue = made_job(fake_aws)
    run = glue.start_job_run(JobName="j")["JobRunId"]
    assert glue.get_job_run(JobName="j", RunId=run)["JobRun"]["ErrorMessage"] == "out of memory"
    again = glue.start_job_run(JobName="j")["JobRunId"]
    assert run_state(glue, again) == "RUNNING"


def test_faults_answer_in_the_protocol_of_the_service(fake_aws: FakeAws) -> None:
    calls: dict[str, Callable[[Any], Any]] = {
        "glue": lambda client: client.get_databases(),
        "s3": lambda client: client.list_buckets(),
        "ec2": lambda client: client.describe_vpcs(),
        "cloudformation": lambda client: client.describe_stacks(),
        "lambda": lambda client: client.list_functions(),
        "kafka": lambda client: client.list_clusters_v2(),
        "cloudwatch": lambda client: client.describe_alarms(),
        "sts": lambda client: client.get_caller_identity(),
    }
    for service, call in calls.items():
        client = fake_aws.client(service)
        fake_aws.fault(service=service, code="ThrottlingException", http=429, times=1)
        assert refusal_code(lambda call=call, client=client: call(client)) == "ThrottlingException"
        call(client)


def test_a_fault_is_of_one_operation_and_of_one_account(fake_aws: FakeAws) -> None:
    fake_aws.fault(service="s3", op="PutObject", code="SlowDown", http=503)
    s3 = fake_aws.client("s3")
    s3.create_bucket(
        Bucket=f"b-{fake_aws.account}",
        CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
    )
    put = {"Bucket": f"b-{fake_aws.account}", "Key": "a/b", "Body": b"x"}
    assert refusal_code(lambda: s3.put_object(**put)) == "SlowDown"
    other = FakeAws(fake_aws.server, new_account())
    assert refusal_code(lambda: other.client("s3").put_object(**put)) != "SlowDown"


def test_a_connection_is_dropped(fake_aws: FakeAws) -> None:
    fake_aws.fault(service="sts", drop=True, times=1)
    sts = fake_aws.client("sts")
    with pytest.raises(ConnectionClosedError):
        sts.get_caller_identity()
    assert sts.get_caller_identity()["Account"] == fake_aws.account


def test_calls_are_told_by_operation(fake_aws: FakeAws) -> None:
    s3 = fake_aws.client("s3")
    bucket = f"b-{fake_aws.account}"
    s3.create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    s3.put_object(Bucket=bucket, Key="k/l", Body=b"x")
    s3.copy_object(Bucket=bucket, Key="m", CopySource=f"{bucket}/k/l")
    s3.list_objects_v2(Bucket=bucket)
    s3.list_object_versions(Bucket=bucket)
    s3.get_bucket_versioning(Bucket=bucket)
    fake_aws.client("lambda").list_functions()
    fake_aws.client("ec2").describe_vpcs()
    assert fake_aws.calls() == [
        ("s3", "CreateBucket"),
        ("s3", "PutObject"),
        ("s3", "CopyObject"),
        ("s3", "ListObjectsV2"),
        ("s3", "ListObjectVersions"),
        ("s3", "GetBucketVersioning"),
        ("lambda", "ListFunctions"),
        ("ec2", "DescribeVpcs"),
    ]


def test_accounts_do_not_see_each_other(fake_aws: FakeAws, fake_aws_server: FakeServer) -> None:
    made_task(fake_aws)
    other = FakeAws(fake_aws_server, new_account())
    assert other.client("dms").describe_replication_tasks()["ReplicationTasks"] == []
    assert other.calls() == [("dms", "DescribeReplicationTasks")]


def test_brokers_are_those_of_the_test(fake_aws: FakeAws) -> None:
    kafka = fake_aws.client("kafka")
    arn = kafka.create_cluster_v2(
        ClusterName="c",
        Provisioned={
            "BrokerNodeGroupInfo": {"ClientSubnets": ["a"], "InstanceType": "kafka.t3.small"},
            "KafkaVersion": "3.9.x",
            "NumberOfBrokerNodes": 1,
        },
    )["ClusterArn"]
    assert kafka.describe_cluster_v2(ClusterArn=arn)["ClusterInfo"]["State"] == "ACTIVE"
    fake_aws.settings(kafka_bootstrap="localhost:19092")
    brokers = kafka.get_bootstrap_brokers(ClusterArn=arn)
    assert brokers["BootstrapBrokerStringSaslScram"] == "localhost:19092"
