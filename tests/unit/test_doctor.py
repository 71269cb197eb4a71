"""doctor: verdicts on what an Aws answers from a table; on this machine for real."""

from __future__ import annotations

import json
from email.utils import formatdate
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cdcctl import app
from cdcctl.aws.errors import AwsError
from cdcctl.compile.dms import table_mappings, target_settings, task_settings
from cdcctl.errors import ExitCode
from cdcctl.operations.doctor import account, replication
from cdcctl.operations.doctor.check import Check, DoctorReport, carry_out
from cdcctl.operations.target import Target
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
    "list_kafka_versions": [{"Version": "3.8.x", "Status": "ACTIVE"}],
    "describe_orderable_replication_instances": [{"EngineVersion": "3.6.1"}],
    "describe_db_engine_versions": [{"EngineVersion": "17.11"}],
    "describe_vpcs": [{}],
    "get_service_quota": {"Quota": {"Value": 5.0}},
    "describe_stacks": refused("ValidationError", why="Stack with id demo does not exist"),
    "list_buckets": {"Buckets": [{"Name": "xdemo-delta-123456789012"}]},
    "describe_log_groups": [{"logGroupName": "/aws/lambda/demo-sql-runner-x"}],
    "describe_replication_tasks": [TASK],
    "describe_endpoints": [{"KafkaSettings": target_settings(pipeline().kafka)}],
}


def examined(**answers: Any) -> dict[str, Check]:
    target = Target("demo", AnsweringAws({**HEALTHY, **answers}))  # type: ignore[arg-type]  # answers from a table
    report = carry_out((*account.probes(target), *replication.probes(target, pipeline())))
    return {check.name: check for check in report.checks}


def test_a_healthy_account_passes_every_check() -> None:
    assert {
        check.name: check.seen for check in examined().values() if check.verdict != "pass"
    } == {}


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
        ({"describe_vpcs": [{}] * 5}, "vpc quota", "fail", "5 of 5"),
        (
            {"list_buckets": {"Buckets": [{"Name": "demo-delta-123456789012"}]}},
            "leftovers",
            "fail",
            "bucket demo-delta-123456789012",
        ),
        (
            {"describe_log_groups": [{"logGroupName": "/aws/lambda/demo-sql-runner"}]},
            "leftovers",
            "fail",
            "log group",
        ),
        (
            {"get_caller_identity": identity(formatdate(0, usegmt=True))},
            "clock",
            "fail",
            "off AWS's clock",
        ),
        (
            {
                "describe_endpoints": [
                    {
                        "KafkaSettings": {
                            **target_settings(pipeline().kafka),
                            "UseLargeIntegerValue": False,
                        }
                    }
                ]
            },
            "kafka endpoint",
            "fail",
            "UseLargeIntegerValue is False: integers above 16 digits lose digits",
        ),
        (
            {"describe_replication_tasks": [{**TASK, "ReplicationTaskSettings": "{}"}]},
            "task settings",
            "fail",
            "a key change leaves the old row current",
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
    check = examined(**answers)[name]
    assert check.verdict == verdict
    assert said in check.seen
    assert check.fix or verdict == "unknown"


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
