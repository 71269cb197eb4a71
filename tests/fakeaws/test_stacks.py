"""Stacks with every type of the pipeline are made, changed in place and removed."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.fakeaws.every_type import template
from tests.fakeaws.fixture import FakeAws

pytestmark = pytest.mark.aws

STACK = "pipeline"


class Stack:
    """One stack of an account, waited for."""

    def __init__(self, fake: FakeAws, body: str | None = None, **more: Any) -> None:
        self.cloudformation = fake.client("cloudformation")
        made = self.cloudformation.create_stack(
            StackName=STACK,
            TemplateBody=body or template(),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            **more,
        )
        self.id = made["StackId"]

    def settled(self) -> str:
        ends_at = time.monotonic() + 60
        while time.monotonic() < ends_at:
            status = self.described["StackStatus"]
            if not status.endswith("IN_PROGRESS"):
                return str(status)
            time.sleep(0.05)
        raise AssertionError("the stack did not settle")

    @property
    def described(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cloudformation.describe_stacks(StackName=self.id)["Stacks"][0]
        return found

    @property
    def outputs(self) -> dict[str, str]:
        return {out["OutputKey"]: out["OutputValue"] for out in self.described["Outputs"]}

    def reason(self, logical_id: str, status: str) -> str:
        events = self.cloudformation.describe_stack_events(StackName=self.id)["StackEvents"]
        return next(
            str(event["ResourceStatusReason"])
            for event in events
            if (event["LogicalResourceId"], event["ResourceStatus"]) == (logical_id, status)
        )

    def update(self, body: str) -> str:
        self.cloudformation.update_stack(
            StackName=STACK, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"]
        )
        return self.settled()

    def delete(self) -> str:
        self.cloudformation.delete_stack(StackName=STACK)
        return self.settled()


@pytest.fixture
def stack(fake_aws: FakeAws) -> Stack:
    fake_aws.settings(rds_host="127.0.0.1", rds_port="15432", kafka_bootstrap="localhost:19096")
    made = Stack(fake_aws)
    status = made.settled()
    assert status == "CREATE_COMPLETE", made.described.get("StackStatusReason")
    return made


def test_every_type_is_made_with_real_addresses_and_removed(
    fake_aws: FakeAws, stack: Stack
) -> None:
    outputs = stack.outputs
    assert (outputs["DbEndpoint"], outputs["DbPort"]) == ("127.0.0.1", "15432")
    assert outputs["BootstrapServers"] == "localhost:19096"
    assert ":secret:AmazonMSK_pipeline_scram-" in outputs["JobSecretArn"]
    secrets = fake_aws.client("secretsmanager")
    for name in ("JobSecretArn", "DbSecretArn"):
        assert '"password"' in secrets.get_secret_value(SecretId=outputs[name])["SecretString"]
    database = fake_aws.client("rds").describe_db_instances()["DBInstances"][0]
    assert database["MasterUserSecret"]["SecretArn"] == outputs["DbSecretArn"]
    assert stack.delete() == "DELETE_COMPLETE"
    assert fake_aws.client("dms").describe_replication_tasks()["ReplicationTasks"] == []
    assert secrets.list_secrets()["SecretList"] == []


def test_a_task_and_a_job_are_changed_in_place(fake_aws: FakeAws, stack: Stack) -> None:
    before = stack.outputs
    changed = '{"rules": [], "comment": "new"}'
    assert stack.update(template(mappings=changed, code="1" * 16)) == "UPDATE_COMPLETE"
    assert stack.outputs == before
    task = fake_aws.client("dms").describe_replication_tasks()["ReplicationTasks"][0]
    assert task["TableMappings"] == changed
    job = fake_aws.client("glue").get_job(JobName=before["GlueJobName"])["Job"]
    assert job["Command"]["ScriptLocation"] == f"s3://assets/code/{'1' * 16}/main.py"


def test_a_change_set_tells_what_is_changed_and_what_is_replaced(
    fake_aws: FakeAws, stack: Stack
) -> None:
    body = (
        template(code="1" * 16)
        .replace("pipeline-msk", "other")
        .replace("${AWS::StackName}-msk", "other")
    )
    stack.cloudformation.create_change_set(
        StackName=STACK,
        ChangeSetName="c",
        TemplateBody=body,
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    time.sleep(0.3)
    found = stack.cloudformation.describe_change_set(StackName=STACK, ChangeSetName="c")
    changes = {
        change["ResourceChange"]["LogicalResourceId"]: change["ResourceChange"]["Replacement"]
        for change in found["Changes"]
    }
    assert changes["GlueJob"] == "False"
    assert changes["MskCluster"] == "True"


def test_a_failed_creation_is_rolled_back_with_its_reason(fake_aws: FakeAws) -> None:
    fake_aws.cfnfail(MskCluster="brokers per account exceeded")
    stack = Stack(fake_aws)
    assert stack.settled() == "ROLLBACK_COMPLETE"
    assert stack.reason("MskCluster", "CREATE_FAILED") == "brokers per account exceeded"


def test_a_stack_that_was_rolled_back_takes_no_change_set(fake_aws: FakeAws) -> None:
    fake_aws.cfnfail(MskCluster="brokers per account exceeded")
    stack = Stack(fake_aws)
    assert stack.settled() == "ROLLBACK_COMPLETE"
    with pytest.raises(ClientError, match="ROLLBACK_COMPLETE state and can not be updated"):
        stack.cloudformation.create_change_set(
            StackName=STACK, ChangeSetName="c", TemplateBody=template()
        )
    assert stack.delete() == "DELETE_COMPLETE"


def test_a_failed_update_is_rolled_back(fake_aws: FakeAws, stack: Stack) -> None:
    fake_aws.cfnfail(**{"update:GlueJob": {"reason": "no such script", "times": 1}})
    assert stack.update(template(code="1" * 16)) == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.reason("GlueJob", "UPDATE_FAILED") == "no such script"


def test_a_bucket_with_versions_is_not_removed(fake_aws: FakeAws, stack: Stack) -> None:
    s3, bucket = fake_aws.client("s3"), stack.outputs["DeltaBucket"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="k")
    assert stack.delete() == "DELETE_FAILED"
    assert "not empty" in stack.reason("DeltaBucket", "DELETE_FAILED")
    listed = s3.list_object_versions(Bucket=bucket)
    for version in (*listed["Versions"], *listed["DeleteMarkers"]):
        s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    assert stack.delete() == "DELETE_COMPLETE"


def test_an_interface_that_a_function_left_keeps_its_subnet(
    fake_aws: FakeAws, stack: Stack
) -> None:
    fake_aws.settings(lambda_interfaces=True)
    ec2, vpc = fake_aws.client("ec2"), stack.outputs["VpcId"]
    assert stack.delete() == "DELETE_FAILED"
    assert "DependencyViolation" in stack.reason("SubnetA", "DELETE_FAILED")
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "status", "Values": ["available"]}]
    left = ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    assert [face["Description"][:18] for face in left] == ["AWS Lambda VPC ENI"] * 2
    for face in left:
        ec2.delete_network_interface(NetworkInterfaceId=face["NetworkInterfaceId"])
    assert stack.delete() == "DELETE_COMPLETE"


def test_a_running_task_keeps_its_stack(fake_aws: FakeAws, stack: Stack) -> None:
    dms, outputs = fake_aws.client("dms"), stack.outputs
    task = dms.describe_replication_tasks()["ReplicationTasks"][0]
    for side in ("SourceEndpointArn", "TargetEndpointArn"):
        dms.test_connection(
            ReplicationInstanceArn=task["ReplicationInstanceArn"], EndpointArn=task[side]
        )
    dms.start_replication_task(
        ReplicationTaskArn=outputs["ReplicationTaskArn"],
        StartReplicationTaskType="start-replication",
    )
    dms.describe_replication_tasks()
    assert stack.delete() == "DELETE_FAILED"
    assert "running" in stack.reason("ReplicationTask", "DELETE_FAILED")
    dms.stop_replication_task(ReplicationTaskArn=outputs["ReplicationTaskArn"])
    assert stack.delete() == "DELETE_COMPLETE"


def test_time_is_pressed_together(fake_aws: FakeAws) -> None:
    fake_aws.speed(0.02)
    began = time.monotonic()
    assert Stack(fake_aws).settled() == "CREATE_COMPLETE"
    # 25 minutes for the brokers, 8 for the database, 5 for the replication instance.
    assert time.monotonic() - began >= 38 * 0.02
