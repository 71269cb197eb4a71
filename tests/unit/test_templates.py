"""The CloudFormation templates: what is deployed by them, and what public ones get wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdcctl.compile.dms import table_mappings, target_settings, task_settings
from cdcctl.compile.names import MAX_STACK_NAME, StackNames, fault_of_stack_name
from cdcctl.compile.template import (
    ONLY_BY_API,
    Rendered,
    render_bootstrap,
    render_pipeline,
    settings_by_api,
)
from glue_job.contract.loader import load
from glue_job.contract.model import Pipeline
from glue_job.contract.telemetry import NAMESPACE

CONFIG = Path("config/tables.yaml")
WITHOUT_RESOURCE = {
    "kafka:GetBootstrapBrokers",
    "glue:GetSecurityConfiguration",
    "cloudwatch:PutMetricData",
}
"""Actions that take no narrower resource, beside ec2:Describe*; PutMetricData is narrowed by
its namespace."""


def fleet() -> Pipeline:
    pipeline = load(CONFIG.read_text(encoding="utf-8"), str(CONFIG)).pipeline
    assert pipeline is not None
    return pipeline


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    return render_pipeline(fleet(), wheels=("b.whl", "a.whl"), jars=("deequ.jar",))


@pytest.fixture(scope="module")
def resources(rendered: Rendered) -> dict[str, Any]:
    found: dict[str, Any] = rendered.document["Resources"]
    return found


def properties(resources: dict[str, Any], logical_id: str) -> dict[str, Any]:
    found: dict[str, Any] = resources[logical_id]["Properties"]
    return found


def of_type(resources: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {name: each["Properties"] for name, each in resources.items() if each["Type"] == kind}


def statements(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "Effect" in node and "Action" in node:
            yield node
        for each in node.values():
            yield from statements(each)
    elif isinstance(node, list):
        for each in node:
            yield from statements(each)


def test_dms_gets_what_the_compiler_makes(resources: dict[str, Any]) -> None:
    task = properties(resources, "ReplicationTask")
    assert json.loads(task["TableMappings"]) == table_mappings(fleet())
    assert json.loads(task["ReplicationTaskSettings"]) == task_settings()
    kafka = properties(resources, "TargetEndpoint")["KafkaSettings"]
    wanted = target_settings(fleet().kafka)
    left = {"SaslUsername", *ONLY_BY_API}
    assert {name: kafka[name] for name in wanted if name not in left} == {
        name: value for name, value in wanted.items() if name not in left
    }
    assert settings_by_api(fleet())["UseLargeIntegerValue"] is True
    assert properties(resources, "SourceEndpoint")["PostgreSqlSettings"]["HeartbeatEnable"] is True


def test_no_password_is_a_parameter_or_stands_in_the_template(rendered: Rendered) -> None:
    document = rendered.document
    assert not [name for name in document["Parameters"] if "assword" in name or "ecret" in name]
    assert "NoEcho" not in rendered.body
    password = document["Resources"]["TargetEndpoint"]["Properties"]["KafkaSettings"]
    assert password["SaslPassword"]["Fn::Sub"].startswith("{{resolve:secretsmanager:${DmsSecret}")
    assert document["Resources"]["DbInstance"]["Properties"]["ManageMasterUserPassword"] is True


def test_the_source_is_verified_where_its_root_is_given(resources: dict[str, Any]) -> None:
    mode = {"Fn::If": ["HasDatabaseCa", "verify-full", "require"]}
    source = properties(resources, "SourceEndpoint")
    assert source["SslMode"] == mode
    assert source["CertificateArn"]["Fn::If"][:2] == ["HasDatabaseCa", {"Ref": "SourceCertificate"}]
    assert properties(resources, "SqlRunner")["Environment"]["Variables"]["DB_SSLMODE"] == mode
    assert resources["SourceCertificate"]["Condition"] == "HasDatabaseCa"


def kafka_secrets(resources: dict[str, Any]) -> list[dict[str, Any]]:
    return [properties(resources, name) for name in ("JobSecret", "DmsSecret")]


def test_dms_and_the_job_are_two_kafka_users(resources: dict[str, Any]) -> None:
    users = {
        json.loads(secret["GenerateSecretString"]["SecretStringTemplate"])["username"]
        for secret in kafka_secrets(resources)
    }
    assert users == {"kafkaadmin", "dms"}
    source = properties(resources, "DmsSourceSecret")["GenerateSecretString"]
    assert '"host": "${DbInstance.Endpoint.Address}"' in source["SecretStringTemplate"]["Fn::Sub"]
    assert properties(resources, "KafkaUsers")["SecretArnList"] == [
        {"Ref": "JobSecret"},
        {"Ref": "DmsSecret"},
    ]
    for secret in kafka_secrets(resources):
        assert secret["Name"]["Fn::Sub"].startswith("AmazonMSK_")
        assert secret["KmsKeyId"] == {"Ref": "ScramKey"}


def test_versions_are_those_that_work_together(resources: dict[str, Any]) -> None:
    assert properties(resources, "MskCluster")["KafkaVersion"] == "3.8.x"
    assert properties(resources, "GlueJob")["GlueVersion"] == "5.1"
    assert properties(resources, "ReplicationInstance")["EngineVersion"] == "3.6.1"
    assert properties(resources, "DbInstance")["EngineVersion"] == "17"
    functions = of_type(resources, "AWS::Lambda::Function")
    assert {each["Runtime"] for each in functions.values()} == {"python3.13"}


def test_topics_are_never_made_by_themselves_and_live_a_week(resources: dict[str, Any]) -> None:
    for text in properties(resources, "MskConfiguration")["ServerProperties"]["Fn::If"][1:]:
        lines = dict(line.split("=") for line in text.splitlines())
        assert lines["auto.create.topics.enable"] == "false"
        assert lines["log.retention.hours"] == "168"
    prod = properties(resources, "MskConfiguration")["ServerProperties"]["Fn::If"][1]
    assert "min.insync.replicas=2" in prod
    assert "default.replication.factor=3" in prod


def test_a_stack_owns_no_role_of_the_account(resources: dict[str, Any]) -> None:
    assert not [r for r in of_type(resources, "AWS::IAM::Role").values() if "RoleName" in r]
    role = render_bootstrap().document["Resources"]["DmsVpcRole"]
    assert role["DeletionPolicy"] == "Retain"
    assert role["Condition"] == "MakesDmsVpcRole"


def test_a_wildcard_resource_is_only_where_an_action_takes_no_other(
    resources: dict[str, Any],
) -> None:
    roles = of_type(resources, "AWS::IAM::Role")
    for name, role in roles.items():
        for statement in statements(role.get("Policies", [])):
            actions = statement["Action"]
            listed = [actions] if isinstance(actions, str) else actions
            assert not [action for action in listed if "*" in action], name
            if statement["Resource"] == "*":
                wide = {a for a in listed if not a.startswith("ec2:Describe")}
                assert wide <= WITHOUT_RESOURCE, name


def test_no_role_but_the_jobs_reads_the_jobs_secret(resources: dict[str, Any]) -> None:
    readers = {
        name
        for name, role in of_type(resources, "AWS::IAM::Role").items()
        for statement in statements(role.get("Policies", []))
        if "secretsmanager:GetSecretValue" in statement["Action"]
        and statement["Resource"] == {"Ref": "JobSecret"}
    }
    assert readers == {"GlueRole", "KafkaAdminRole"}


def test_every_bucket_is_private_and_refuses_plain_http(resources: dict[str, Any]) -> None:
    buckets = of_type(resources, "AWS::S3::Bucket")
    policies = of_type(resources, "AWS::S3::BucketPolicy")
    assert set(buckets) == {"DeltaBucket", "QuarantineBucket", "AccessLogsBucket"}
    for name, bucket in buckets.items():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        policy = next(p for p in policies.values() if p["Bucket"] == {"Ref": name})
        assert policy["PolicyDocument"]["Statement"][0]["Condition"] == {
            "Bool": {"aws:SecureTransport": "false"}
        }
        assert "AbortIncompleteMultipartUpload" in json.dumps(bucket["LifecycleConfiguration"])


def test_what_holds_data_outlives_a_replacement(resources: dict[str, Any]) -> None:
    for name in ("DbInstance", "MskCluster", "DeltaBucket", "QuarantineBucket", "DataKey"):
        assert resources[name]["UpdateReplacePolicy"] in {"Retain", "Snapshot"}, name
    assert resources["DbInstance"]["DeletionPolicy"] == "Snapshot"


def test_only_its_clients_reach_the_database_and_the_brokers(resources: dict[str, Any]) -> None:
    opened = {
        (rule["GroupId"]["Ref"], rule["SourceSecurityGroupId"]["Ref"], rule["FromPort"])
        for rule in of_type(resources, "AWS::EC2::SecurityGroupIngress").values()
        if rule["GroupId"]["Ref"] in {"DatabaseSecurityGroup", "KafkaSecurityGroup"}
    }
    assert opened == {
        ("DatabaseSecurityGroup", "DmsSecurityGroup", 5432),
        ("DatabaseSecurityGroup", "SqlRunnerSecurityGroup", 5432),
        ("KafkaSecurityGroup", "DmsSecurityGroup", 9096),
        ("KafkaSecurityGroup", "GlueSecurityGroup", 9096),
        ("KafkaSecurityGroup", "KafkaAdminSecurityGroup", 9096),
    }
    groups = of_type(resources, "AWS::EC2::SecurityGroup").values()
    assert not [group for group in groups if "SecurityGroupIngress" in group]


def test_one_run_of_the_job_at_a_time_from_the_bundle(resources: dict[str, Any]) -> None:
    job = properties(resources, "GlueJob")
    arguments = job["DefaultArguments"]
    base = "s3://${AssetsBucket}/code/${CodeHash}"
    assert job["ExecutionProperty"] == {"MaxConcurrentRuns": 1}
    assert job["MaintenanceWindow"]
    assert job["Timeout"] >= 7 * 24 * 60
    assert arguments["--additional-python-modules"] == {
        "Fn::Sub": f"{base}/wheels/a.whl,{base}/wheels/b.whl"
    }
    assert arguments["--extra-jars"] == {"Fn::Sub": f"{base}/jars/deequ.jar"}
    known = {"--config", "--bootstrap-servers", "--msk-cluster-arn", "--secret-arn", "--requests"}
    assert known <= set(arguments)


def test_the_job_knows_every_argument_that_it_is_given(resources: dict[str, Any]) -> None:
    from glue_job.arguments import parse

    given = properties(resources, "GlueJob")["DefaultArguments"]
    parsed = parse([part for name in given for part in (name, "x")])
    assert parsed.config == parsed.secret_arn == parsed.msk_cluster_arn == parsed.requests == "x"


def test_what_goes_wrong_at_night_raises_an_alarm(resources: dict[str, Any]) -> None:
    alarms = of_type(resources, "AWS::CloudWatch::Alarm").values()
    assert {alarm["MetricName"] for alarm in alarms} == {
        "CDCLatencySource",
        "CDCLatencyTarget",
        "OldestReplicationSlotLag",
        "FreeStorageSpace",
        "KafkaDataLogsDiskUsed",
        "running",
    }
    topic = {"Ref": "AlertTopic"}
    assert all(alarm["AlarmActions"] == alarm["OKActions"] == [topic] for alarm in alarms)
    silent = properties(resources, "JobSilent")
    assert (silent["Namespace"], silent["TreatMissingData"]) == (NAMESPACE, "breaching")
    failures = of_type(resources, "AWS::Events::Rule").values()
    assert [each["EventPattern"]["source"] for each in failures] == [["aws.glue"], ["aws.dms"]]
    assert all(each["Targets"][0]["Arn"] == topic for each in failures)
    rule = properties(resources, "GlueFailed")["EventPattern"]
    assert "FAILED" in rule["detail"]["state"]
    assert "EXPIRED" not in rule["detail"]["state"]


def test_nothing_waits_for_what_it_does_not_need(resources: dict[str, Any]) -> None:
    waits = {name: each["DependsOn"] for name, each in resources.items() if "DependsOn" in each}
    assert waits == {
        "MskBootstrapServers": "MskBootstrapServersLogs",
        "ReplicationTask": "KafkaUsers",
    }


def test_no_lambda_reserves_concurrency(resources: dict[str, Any]) -> None:
    functions = of_type(resources, "AWS::Lambda::Function").values()
    assert not [each for each in functions if "ReservedConcurrentExecutions" in each]


def test_two_stacks_share_no_name(resources: dict[str, Any]) -> None:
    names = [
        each[key]
        for each in (r.get("Properties", {}) for r in resources.values())
        for key in each
        if key.endswith("Name") and "Fn::Sub" in each[key] and key != "ServiceName"
    ]
    assert len(names) > 10
    assert not [name for name in names if "AWS::StackName" not in json.dumps(name)]


def test_the_names_are_those_that_the_tool_expects(resources: dict[str, Any]) -> None:
    names = StackNames("demo", "123456789012")

    def filled(value: dict[str, str]) -> str:
        text = value["Fn::Sub"].replace("${AWS::StackName}", "demo")
        return text.replace("${AWS::AccountId}", "123456789012")

    assert filled(properties(resources, "DeltaBucket")["BucketName"]) == names.delta_bucket
    assert filled(properties(resources, "GlueJob")["Name"]) == names.glue_job
    assert filled(properties(resources, "SqlRunner")["FunctionName"]) == names.sql_runner
    assert filled(properties(resources, "KafkaAdmin")["FunctionName"]) == names.kafka_admin
    assert filled(properties(resources, "TableCreator")["FunctionName"]) == names.table_creator
    assert filled(properties(resources, "JobSecret")["Name"]) == names.job_secret
    assert filled(properties(resources, "DmsSecret")["Name"]) == names.dms_secret
    task = properties(resources, "ReplicationTask")["ReplicationTaskIdentifier"]
    assert filled(task) == names.replication_task


def test_the_template_fits_and_names_its_lines(rendered: Rendered) -> None:
    assert len(rendered.body.encode()) < 1_000_000
    assert len(rendered.document["Resources"]) <= 500
    line = rendered.line_of("MskCluster")
    assert line is not None
    text = Path(rendered.file).read_text(encoding="utf-8").splitlines()
    assert text[line - 1] == "  MskCluster:"
    assert rendered.line_of("Nothing") is None


def test_the_hash_follows_the_content() -> None:
    assert render_pipeline(fleet()).sha == render_pipeline(fleet()).sha
    assert render_pipeline(fleet()).sha != render_pipeline(fleet(), wheels=("a.whl",)).sha


def test_a_stack_name_is_bounded_by_its_longest_bucket() -> None:
    longest = "a" * MAX_STACK_NAME
    assert fault_of_stack_name(longest) is None
    assert len(StackNames(longest, "123456789012").access_logs_bucket) == 63
    assert "38" in (fault_of_stack_name(longest + "a") or "")
    for wrong in ("Demo", "-demo", "demo-", "de--mo", "démo", "demo_x", "1demo", ""):
        assert fault_of_stack_name(wrong)


def test_the_job_reaches_the_topic_that_it_tells(resources: dict[str, Any]) -> None:
    arguments = properties(resources, "GlueJob")["DefaultArguments"]
    assert arguments["--alert-topic"] == {"Ref": "AlertTopic"}
    assert arguments["--code-hash"] == {"Ref": "CodeHash"}
    role = properties(resources, "GlueRole")
    (publish,) = [each for each in statements(role) if each["Action"] == "sns:Publish"]
    assert publish["Resource"] == {"Ref": "AlertTopic"}
    endpoints = of_type(resources, "AWS::EC2::VPCEndpoint")
    assert any(each["ServiceName"]["Fn::Sub"].endswith(".sns") for each in endpoints.values())
