"""doctor: verdicts on what an Aws answers from a table; on this machine for real."""

from __future__ import annotations

import io
import json
import re
import threading
import time
from datetime import UTC, date, datetime, timedelta
from email.utils import formatdate
from hashlib import sha256
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cdcctl import app
from cdcctl.aws.cloudformation import REVIEWED
from cdcctl.aws.errors import AwsError
from cdcctl.bundle import hash_of_files
from cdcctl.compile.artefacts import ddl_artefact
from cdcctl.compile.dms import source_settings, table_mappings, target_settings, task_settings
from cdcctl.errors import ExitCode
from cdcctl.operations.configuration import load_config
from cdcctl.operations.doctor import (
    account,
    deployed,
    offers,
    region,
    remains,
    replication,
    source,
)
from cdcctl.operations.doctor.check import Check, DoctorReport, Probe, carry_out
from cdcctl.operations.target import Target, TargetChoice
from cdcctl.ui import doctor as view
from cdcctl.ui.output import schema_of
from glue_job.contract.loader import load
from tests.unit.answering_aws import AnsweringAws

CONFIG = Path("config/tables.yaml")


def refused(code: str, exit_code: ExitCode = ExitCode.FAILED, why: str = "") -> AwsError:
    return AwsError("AWS004", "no", why=why, aws_code=code, exit_code=exit_code)


def pipeline() -> Any:
    return load(CONFIG.read_text(encoding="utf-8"), str(CONFIG)).pipeline


def identity(date: str) -> dict[str, Any]:
    return {
        "Arn": "arn:aws:sts::123456789012:assumed-role/ops/ann",
        "Account": "123456789012",
        "ResponseMetadata": {"HTTPHeaders": {"date": date}},
    }


TASK = {
    "ReplicationTaskArn": "arn:task",
    "Status": "running",
    "ReplicationInstanceArn": "arn:instance",
    "SourceEndpointArn": "arn:source",
    "TargetEndpointArn": "arn:target",
    "ReplicationTaskSettings": json.dumps(task_settings()),
    "TableMappings": json.dumps(table_mappings(pipeline())),
}
HEALTHY: dict[str, Any] = {
    "get_caller_identity": lambda _: identity(formatdate(usegmt=True)),
    "simulate_principal_policy": lambda asked: [
        {"EvalActionName": name, "EvalDecision": "allowed"} for name in asked["ActionNames"]
    ],
    "list_attached_role_policies": [{"PolicyName": "AmazonDMSVPCManagementRole"}],
    "get_role": {
        "Role": {
            "AssumeRolePolicyDocument": {
                "Statement": [{"Principal": {"Service": ["dms.amazonaws.com"]}}]
            }
        }
    },
    "describe_regions": {
        "Regions": [{"RegionName": "eu-central-1", "OptInStatus": "opt-in-not-required"}]
    },
    "list_kafka_versions": [{"Version": "3.8.x", "Status": "ACTIVE"}],
    "describe_orderable_replication_instances": [
        {"EngineVersion": "3.6.1", "ReplicationInstanceClass": name}
        for name in ("dms.t3.medium", "dms.c6i.large")
    ],
    "describe_orderable_db_instance_options": lambda asked: [
        {"EngineVersion": "17.11", "DBInstanceClass": asked["DBInstanceClass"]}
    ],
    "describe_db_engine_versions": [{"EngineVersion": "17.11"}],
    "describe_vpcs": [{}],
    "describe_db_instances": [{}],
    "describe_replication_instances": [],
    "list_clusters_v2": [{"Provisioned": {"NumberOfBrokerNodes": 2}}, {"Serverless": {}}],
    "list_secrets": [{"Name": "AmazonMSK_demo_scram_of_another"}],
    "list_subscriptions_by_topic": [],
    "get_service_quota": {"Quota": {"Value": 5.0}},
    "describe_stacks": refused("ValidationError", why="Stack with id demo does not exist"),
    "list_buckets": {"Buckets": [{"Name": "xdemo-delta-123456789012"}]},
    "head_bucket": refused("404"),
    "describe_db_snapshots": [],
    "describe_db_instance_automated_backups": [],
    "list_layers": [],
    "describe_network_interfaces": [],
    "describe_log_groups": [{"logGroupName": "/aws/lambda/demo-sql-runner-x"}],
    "describe_replication_tasks": [TASK],
    "describe_endpoints": [
        {
            "KafkaSettings": target_settings(pipeline().kafka),
            "PostgreSQLSettings": source_settings(),
        }
    ],
}


STACK = {
    "describe_stacks": {
        "Stacks": [
            {
                "StackId": "arn:stack",
                "StackStatus": "CREATE_COMPLETE",
                "CreationTime": datetime(2026, 11, 22, tzinfo=UTC),
                "Outputs": [{"OutputKey": "AlertTopicArn", "OutputValue": "arn:topic"}],
            }
        ]
    }
}


def examined(**answers: Any) -> tuple[Check, ...]:
    target = Target("demo", AnsweringAws({**HEALTHY, **answers}))  # type: ignore[arg-type]  # answers from a table
    return carry_out(
        (
            region.probe(target),
            *account.probes(target),
            *offers.probes(target, pipeline()),
            *remains.probes(target),
            *replication.probes(target, pipeline()),
        )
    ).checks


def test_a_healthy_account_passes_every_check() -> None:
    assert {check.name: check.seen for check in examined() if check.verdict != "pass"} == {}


@pytest.mark.parametrize(
    ("answers", "name", "verdict", "said"),
    [
        (
            {
                "simulate_principal_policy": lambda asked: [
                    {
                        "EvalActionName": name,
                        "EvalDecision": "implicitDeny" if name.startswith("dms:") else "allowed",
                    }
                    for name in asked["ActionNames"]
                ]
            },
            "permissions",
            "warn",
            "dms:",
        ),
        (
            {"simulate_principal_policy": refused("AccessDenied", ExitCode.CREDENTIALS)},
            "permissions",
            "unknown",
            "no",
        ),
        ({"list_attached_role_policies": refused("NoSuchEntity")}, "dms-vpc-role", "warn", "none"),
        ({"list_attached_role_policies": []}, "dms-vpc-role", "fail", "lacks"),
        (
            {"get_role": {"Role": {"AssumeRolePolicyDocument": {"Statement": [{}]}}}},
            "dms-vpc-role",
            "fail",
            "dms.amazonaws.com may not assume it",
        ),
        ({"describe_regions": {"Regions": []}}, "region", "fail", "no region eu-central-1"),
        (
            {"describe_orderable_db_instance_options": []},
            "database sizes",
            "fail",
            "db.t4g.medium (Profile=dev), db.m7g.large (Profile=prod)",
        ),
        (
            {
                "describe_orderable_replication_instances": [
                    {"EngineVersion": "3.6.1", "ReplicationInstanceClass": "dms.t3.medium"},
                    {"EngineVersion": "3.5.4", "ReplicationInstanceClass": "dms.c6i.large"},
                ]
            },
            "dms sizes",
            "warn",
            "dms.c6i.large (Profile=prod)",
        ),
        ({"head_bucket": refused("403")}, "bucket names", "fail", "demo-delta-123456789012"),
        (
            {
                "describe_db_snapshots": [
                    {
                        "DBInstanceIdentifier": "demo-DbInstance-x1",
                        "DBSnapshotIdentifier": "last",
                        "SnapshotType": "manual",
                    }
                ]
            },
            "leftover backups",
            "warn",
            "snapshot last; they bill on",
        ),
        (
            {"describe_network_interfaces": [{"NetworkInterfaceId": "eni-1"}]},
            "leftover interfaces",
            "warn",
            "network interface eni-1",
        ),
        (
            {"list_kafka_versions": [{"Version": "3.8.x", "Status": "DEPRECATED"}]},
            "kafka version",
            "fail",
            "3.8.x is not offered",
        ),
        ({"describe_orderable_replication_instances": []}, "dms version", "fail", "nothing"),
        (
            {"describe_db_engine_versions": [{"EngineVersion": "18.1"}]},
            "postgres version",
            "fail",
            "18.1",
        ),
        ({"describe_vpcs": [{}] * 5}, "VPCs quota", "fail", "5 of 5"),
        ({"describe_db_instances": [{}] * 5}, "RDS instances quota", "fail", "5 of 5"),
        ({"describe_replication_instances": [{}] * 5}, "DMS instances quota", "fail", "5 of 5"),
        (
            {"list_clusters_v2": [{"Provisioned": {"NumberOfBrokerNodes": 3}}]},
            "MSK brokers quota",
            "fail",
            "3 of 5 are used, expected room for 3",
        ),
        (
            {"get_service_quota": {"Quota": {"Value": 1.0}}},
            "Glue DPUs quota",
            "fail",
            "1 are allowed, expected room for 2",
        ),
        (
            {"get_service_quota": {"Quota": {"Value": 1.0}}},
            "Lambda executions quota",
            "fail",
            "expected room for 4",
        ),
        (
            {"list_secrets": [{"Name": "AmazonMSK_demo_scram"}, {"Name": "demo-dms-source"}]},
            "leftover secrets",
            "fail",
            "AmazonMSK_demo_scram, demo-dms-source",
        ),
        (STACK, "alert topic", "warn", "it has no subscription"),
        (
            {
                **STACK,
                "list_subscriptions_by_topic": [
                    {"SubscriptionArn": "PendingConfirmation", "Endpoint": "ann@example.com"}
                ],
            },
            "alert topic",
            "warn",
            "ann@example.com has not confirmed",
        ),
        (
            {"list_buckets": {"Buckets": [{"Name": "demo-delta-123456789012"}]}},
            "leftover buckets",
            "fail",
            "demo-delta-123456789012",
        ),
        (
            {
                "list_buckets": {"Buckets": [{"Name": "demo-delta-123456789012"}]},
                "describe_stacks": {
                    "Stacks": [{**STACK["describe_stacks"]["Stacks"][0], "StackStatus": REVIEWED}]
                },
            },
            "leftover buckets",
            "fail",
            "demo-delta-123456789012",
        ),
        (
            {"describe_log_groups": [{"logGroupName": "/aws/lambda/demo-sql-runner"}]},
            "leftover log groups",
            "fail",
            "/aws/lambda/demo-sql-runner",
        ),
        (
            {"get_caller_identity": identity(formatdate(0, usegmt=True))},
            "clock",
            "fail",
            "off AWS's clock",
        ),
        (
            {"describe_replication_tasks": [{**TASK, "TableMappings": '{"rules": []}'}]},
            "table mappings",
            "warn",
            "vehicle_telemetry",
        ),
        ({"describe_replication_tasks": []}, "task settings", "unknown", "no DMS task"),
    ],
)
def test_what_is_wrong_is_named(
    answers: dict[str, Any], name: str, verdict: str, said: str
) -> None:
    (check,) = (each for each in examined(**answers) if each.name == name and said in each.seen)
    assert check.verdict == verdict
    assert check.fix or verdict == "unknown"


def test_each_leftover_is_removed_by_a_command_of_cdcctl() -> None:
    found = examined(
        list_buckets={"Buckets": [{"Name": "demo-delta-123456789012"}]},
        list_secrets=[{"Name": "AmazonMSK_demo_scram"}],
        describe_log_groups=[{"logGroupName": "/aws/lambda/demo-sql-runner"}],
        describe_network_interfaces=[{"NetworkInterfaceId": "eni-1"}],
    )
    fixes = [each.fix for each in found if each.verdict != "pass"]
    assert len(fixes) == 4
    assert all(fix.startswith("cdcctl teardown --stack demo") for fix in fixes)


def test_a_region_that_is_off_is_told_as_the_cause_of_refused_credentials() -> None:
    def off(*_: Any) -> Any:
        status = {"RegionName": "eu-central-1", "OptInStatus": "not-opted-in"}
        return AnsweringAws({"describe_regions": {"Regions": [status]}})

    def silent(*_: Any) -> Any:
        return AnsweringAws({"describe_regions": refused("AuthFailure", ExitCode.CREDENTIALS)})

    refusal = refused("InvalidClientTokenId", ExitCode.CREDENTIALS, "the token is invalid")
    told = region.explained(refusal, TargetChoice(), off)
    assert (told.code, told.why) == ("AWS012", "the token is invalid")
    assert "enable-region --region-name eu-central-1" in told.fix
    assert region.explained(refusal, TargetChoice(), silent) is refusal
    other = refused("ValidationError")
    assert region.explained(other, TargetChoice(), off) is other


FILES = [{"name": "main.py", "size": 3, "sha256": "ab"}]
CODE = hash_of_files(FILES)
HELD = {
    f"code/{CODE}/manifest.json": json.dumps({"files": FILES}).encode(),
    f"config/{sha256(b'x').hexdigest()[:16]}/tables.yaml": b"x",
}


def of_stack(**answers: Any) -> dict[str, tuple[str, str]]:
    """Give verdict and finding of the checks of a deployed stack."""
    (state,) = STACK["describe_stacks"]["Stacks"]
    parameters = {"CodeHash": CODE, "ConfigHash": sha256(b"x").hexdigest()[:16]}
    told = {
        "describe_stacks": {
            "Stacks": [
                {
                    **state,
                    "Outputs": [],
                    "Parameters": [
                        {"ParameterKey": key, "ParameterValue": value}
                        for key, value in parameters.items()
                    ],
                }
            ]
        },
        "get_object": lambda asked: {"Body": io.BytesIO(HELD[asked["Key"]])},
        "list_objects_v2": [{"Key": f"code/{CODE}/main.py", "Size": 3}],
        "list_stack_resources": [
            {
                "ResourceType": "AWS::EC2::VPCEndpoint",
                "LogicalResourceId": "S3Endpoint",
                "PhysicalResourceId": "vpce-1",
            }
        ],
        "describe_vpc_endpoints": [{"VpcEndpointId": "vpce-1", "State": "Available"}],
        "head_object": {},
        "invoke": lambda _: topics_told(),
        **answers,
    }
    target = Target("demo", AnsweringAws(told))  # type: ignore[arg-type]  # answers from a table
    found = carry_out(deployed.probes(target, load_config(CONFIG))).checks
    return {each.name: (each.verdict, each.seen) for each in found}


def topics_told(**told: Any) -> dict[str, Any]:
    body = {"created": [], "drift": [], "pruned": [], "unchanged": [], "unknown": [], **told}
    return {"Payload": io.BytesIO(json.dumps({"statusCode": 200, "body": body}).encode())}


def test_a_stack_that_runs_what_was_packed_passes() -> None:
    assert {verdict for verdict, _ in of_stack().values()} == {"pass"}


DRIFT = {"topic": "cdc-vehicles", "setting": "partitions", "found": 1, "wanted": 3}


@pytest.mark.parametrize(
    ("answers", "name", "verdict", "said"),
    [
        ({"get_object": refused("NoSuchKey")}, "code", "fail", "manifest.json is gone"),
        ({"list_objects_v2": []}, "code", "fail", "gone or cut in code/"),
        (
            {"list_objects_v2": [{"Key": f"code/{CODE}/main.py", "Size": 2}]},
            "code",
            "fail",
            "main.py",
        ),
        (
            {"get_object": lambda _: {"Body": io.BytesIO(b'{"files": []}')}},
            "code",
            "fail",
            "is not the bundle's",
        ),
        (
            {"get_object": lambda _: {"Body": io.BytesIO(b'{"files": []}')}},
            "config",
            "fail",
            "has been changed",
        ),
        ({"describe_vpc_endpoints": []}, "endpoints", "fail", "S3Endpoint is gone"),
        (
            {"describe_vpc_endpoints": [{"VpcEndpointId": "vpce-1", "State": "failed"}]},
            "endpoints",
            "fail",
            "S3Endpoint is failed",
        ),
        (
            {"invoke": lambda _: topics_told(created=["cdc-vehicles"])},
            "topics",
            "fail",
            "cdc-vehicles",
        ),
        (
            {"invoke": lambda _: topics_told(drift=[DRIFT])},
            "topics",
            "warn",
            "partitions is 1, not 3",
        ),
        (
            {"describe_stacks": HEALTHY["describe_stacks"]},
            "topics",
            "unknown",
            "the stack is not there yet",
        ),
    ],
)
def test_what_is_wrong_with_a_stack_is_named(
    answers: dict[str, Any], name: str, verdict: str, said: str
) -> None:
    seen = of_stack(**answers)[name]
    assert (seen[0], said in seen[1]) == (verdict, True), seen


def changed(settings: Any, path: str) -> Any:
    """Give settings in which one, by its dotted path, is another."""
    head, _, rest = path.partition(".")
    return {**settings, head: changed(settings[head], rest) if rest else "another"}


@pytest.mark.parametrize(
    ("place", "needed"),
    [
        *(("PostgreSQLSettings", each) for each in replication.SOURCE),
        *(("KafkaSettings", each) for each in replication.ENDPOINT),
        *(("task", each) for each in replication.TASK),
    ],
    ids=lambda each: each if isinstance(each, str) else each.path,
)
def test_each_setting_that_differs_names_what_it_breaks(
    place: str, needed: replication.Needed
) -> None:
    (endpoint,) = HEALTHY["describe_endpoints"]
    if place == "task":
        settings = json.dumps(changed(task_settings(), needed.path))
        answers = {"describe_replication_tasks": [{**TASK, "ReplicationTaskSettings": settings}]}
    else:
        settings = changed(endpoint[place], needed.path)
        answers = {"describe_endpoints": [{**endpoint, place: settings}]}
    (check,) = (each for each in examined(**answers) if each.verdict != "pass")
    assert (check.verdict, check.cases) == ("fail", needed.cases)
    assert f"{needed.path} is another, expected " in check.seen
    assert all(f"{case} " in check.seen for case in needed.cases)


def test_a_table_that_goes_to_another_topic_is_named() -> None:
    mappings = json.loads(TASK["TableMappings"].replace("cdc-vehicles", "others"))
    found = examined(describe_replication_tasks=[{**TASK, "TableMappings": json.dumps(mappings)}])
    (check,) = (each for each in found if each.verdict != "pass")
    assert check.cases == ("C32",)
    assert "kafka-target-topic of vehicles is others, expected cdc-vehicles" in check.seen


def source_state(**server: str) -> dict[str, Any]:
    """Give what sql-runner tells of a source that is as tables.yaml has it."""
    return {
        "server": {
            "wal_level": "logical",
            "max_replication_slots": "10",
            "max_wal_senders": "10",
            "wal_sender_timeout": "60000",
            "max_slot_wal_keep_size": "8192",
            **server,
        },
        "slots": [],
        "tables": {
            table["name"]: {
                "primary_key": table["primary_key"],
                "identity": "f",
                "columns": [dict(column) for column in table["columns"]],
            }
            for table in ddl_artefact(pipeline())["tables"]
        },
    }


def wrong_at_source(state: Any) -> list[Check]:
    return [each for each in source.source_checks(state, pipeline()) if each.verdict != "pass"]


def test_a_source_as_it_should_be_passes() -> None:
    assert wrong_at_source(source_state()) == []


@pytest.mark.parametrize(
    ("setting", "value", "verdict", "cases"),
    [
        ("wal_level", "replica", "fail", ("C1",)),
        ("max_wal_senders", "0", "fail", ("C1",)),
        ("max_replication_slots", "0", "fail", ("C1",)),
        ("wal_sender_timeout", "5000", "warn", ("C16",)),
        ("wal_sender_timeout", "300000", "warn", ("C16",)),
        ("max_slot_wal_keep_size", "-1", "warn", ()),
    ],
)
def test_a_server_that_cannot_be_captured_is_named(
    setting: str, value: str, verdict: str, cases: tuple[str, ...]
) -> None:
    (check,) = wrong_at_source(source_state(**{setting: value}))
    assert (check.verdict, check.cases) == (verdict, cases)
    assert "expected" in check.seen
    assert check.fix


@pytest.mark.parametrize(
    ("changes", "verdict", "cases", "said"),
    [
        ({"primary_key": []}, "fail", ("C1", "C13"), "there is none, expected id"),
        ({"primary_key": ["vin"]}, "fail", ("C19", "C20", "C21"), "it is vin, expected id"),
        ({"identity": "n"}, "fail", ("C20", "C21"), "it is NOTHING, expected DEFAULT or FULL"),
        ({"identity": "i"}, "fail", ("C20", "C21"), "it is an index"),
    ],
)
def test_a_table_that_loses_changes_is_named(
    changes: dict[str, Any], verdict: str, cases: tuple[str, ...], said: str
) -> None:
    state = source_state()
    state["tables"]["vehicles"] |= changes
    found = wrong_at_source(state)
    assert [(each.verdict, each.cases) for each in found] == [(verdict, cases)]
    assert all(each.name.startswith("vehicles") and said in each.seen for each in found)


def test_columns_and_tables_that_differ_are_named() -> None:
    state = source_state()
    del state["tables"]["drivers"]
    columns = state["tables"]["vehicles"]["columns"]
    columns[1]["type"] = "jsonb"
    gone = columns.pop()["name"]
    columns.append({"name": "more", "type": "text", "nullable": True})
    found = {each.name: each for each in wrong_at_source(state)}
    assert found.keys() == {
        "table drivers",
        f"vehicles.{columns[1]['name']}",
        f"vehicles.{gone}",
        "vehicles: columns",
    }
    assert found["table drivers"].fix == "cdcctl bootstrap-db"
    assert found[f"vehicles.{columns[1]['name']}"].cases == ("C28", "C30")


def test_slots_that_are_lost_or_all_taken_are_named() -> None:
    slot = {"name": "dms", "active": True, "wal_status": "reserved"}
    for slots, verdict, cases in (
        ([{**slot, "wal_status": "lost"}], "fail", ("C24",)),
        ([slot, slot], "warn", ("C1",)),
        ([{**slot, "active": False}] * 2, "fail", ("C1",)),
    ):
        state = {**source_state(max_replication_slots="2"), "slots": slots}
        assert [(e.verdict, e.cases) for e in wrong_at_source(state)] == [(verdict, cases)]


@pytest.mark.parametrize("state", [None, {"wal_level": "logical", "tables": {}}])
def test_a_source_that_cannot_be_asked_is_unknown(state: Any) -> None:
    assert [each.verdict for each in wrong_at_source(state)] == ["unknown"]


def test_what_takes_too_long_or_is_not_allowed_is_said_in_its_place() -> None:
    denied = AwsError(
        "AWS004", "no", exit_code=ExitCode.CREDENTIALS, action="ec2:DescribeVpcs", fix="ask"
    )
    release = threading.Event()

    def slow() -> Check:
        release.wait(10)
        return Check("a", "slow", "pass", "")

    def refuse() -> Check:
        raise denied

    began = time.monotonic()
    report = carry_out((Probe("a", "slow", slow), Probe("a", "denied", refuse)), 0.2)
    assert time.monotonic() - began < 5
    release.set()
    assert [(each.verdict, each.seen) for each in report.checks] == [
        ("unknown", "not checked: no answer within 0.2 s"),
        ("unknown", "not checked: needs ec2:DescribeVpcs"),
    ]


def test_a_stack_counts_for_itself() -> None:
    confirmed = [{"SubscriptionArn": "arn:aws:sns:x", "Endpoint": "ann@example.com"}]
    found = examined(
        **STACK,
        describe_vpcs=[{}] * 5,
        list_subscriptions_by_topic=confirmed,
        list_buckets={"Buckets": [{"Name": "demo-delta-123456789012"}]},
    )
    assert [each.name for each in found if each.verdict != "pass"] == []


def test_versions_are_those_of_the_template_and_their_end_is_told_in_time() -> None:
    template = Path("templates/pipeline.yaml").read_text(encoding="utf-8")
    for line in (
        f'KafkaVersion: "?{account.KAFKA_VERSION}',
        f'EngineVersion: "{account.POSTGRES_MAJOR}"',
        f'EngineVersion: "?{account.DMS_VERSION}',
        f'GlueVersion: "{account.GLUE_VERSION}"',
        "Runtime: python3.13",
    ):
        assert re.search(line, template), line
    ends = min(account.END_DATES.values())
    assert account.end_dates(date(2026, 11, 27)).verdict == "pass"
    warned = account.end_dates(ends - timedelta(days=100))
    assert (warned.verdict, str(ends) in warned.seen) == ("warn", True)


def test_only_a_failed_check_is_unhealthy() -> None:
    warned = Check("a", "b", "warn", "c")
    assert DoctorReport((warned, Check("a", "b", "unknown", "c"))).is_healthy
    assert not DoctorReport((warned, Check("a", "b", "fail", "c"))).is_healthy


def test_this_machine_is_examined(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = app.run(["doctor", "--local", "--dir", str(tmp_path / "none"), "-o", "json"])
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, schema_of("doctor/v1"))
    assert code in {ExitCode.DONE, ExitCode.UNHEALTHY}
    assert {"java", "memory", "jar cache"} <= {c["name"] for c in document["data"]["checks"]}


def test_an_empty_jar_cache_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CDCCTL_CACHE_DIR", str(tmp_path))
    app.run(["doctor", "--local", "--dir", str(tmp_path / "none")])
    assert "jars not there or damaged" in capsys.readouterr().out


def test_a_remedy_of_many_checks_is_said_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    denied = [Check("account", f"{n}", "unknown", "not checked", "print it") for n in range(3)]
    other = Check("account", "alert topic", "warn", "nobody is told", "add --email")
    view.show_doctor(DoctorReport((*denied, other)))
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if line.startswith("→")] == [
        "→ add --email",
        "→ print it   (for 3 checks)",
    ]
    assert lines[-1] == "passed: 0, warnings: 1, failed: 0, could not look: 3"
