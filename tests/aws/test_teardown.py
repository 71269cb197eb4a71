"""teardown on the fake AWS, through the command line."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cdcctl.errors import ExitCode
from cdcctl.ui.output import schema_of
from tests.aws.conftest import interrupted
from tests.aws.leaks import (
    passwords,
    process_arguments,
    stack_documents,
    texts_of,
    told_passwords,
)
from tests.fakeaws.fixture import FakeAws
from tests.fakeaws.test_functions import archive
from tests.terminal import on_a_terminal
from tests.unit import lake_builder

pytestmark = pytest.mark.aws

Run = Callable[..., tuple[int, str, str]]


def deploy(cdcctl: Run, stack: str = "demo") -> None:
    code, _, err = cdcctl("deploy", "--stack", stack, "--yes", "--skip", "db,topics")
    assert code == 0, err


def removed(cdcctl: Run, *words: str, code: int = 0) -> dict[str, Any]:
    seen, out, err = cdcctl("teardown", "--confirm", "demo", "-o", "json", *words)
    assert seen == code, err
    document = json.loads(out)
    jsonschema.validate(document, schema_of("teardown/v1"))
    data: dict[str, Any] = document["data"]
    return data


def loggings(fake_aws: FakeAws) -> dict[str, bool]:
    s3 = fake_aws.client("s3")
    return {
        name: "LoggingEnabled" in s3.get_bucket_logging(Bucket=name) for name in buckets(fake_aws)
    }


def buckets(fake_aws: FakeAws) -> set[str]:
    return {each["Name"] for each in fake_aws.client("s3").list_buckets()["Buckets"]}


def fill(fake_aws: FakeAws, bucket: str, count: int = 3) -> None:
    s3 = fake_aws.client("s3")
    for number in range(count):
        s3.put_object(Bucket=bucket, Key=f"some/{number}", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="some/0")


def test_nothing_is_left_no_password_is_told_and_a_second_run_has_nothing_to_do(
    cdcctl: Run, fake_aws: FakeAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    said = []
    with process_arguments() as arguments:
        for number, (words, expected) in enumerate(
            (
                (("deploy", "--yes", "--skip", "db,topics"), 0),
                (("bootstrap-db",), ExitCode.FAILED),
                (("status",), 0),
                (("logs", "--since", "10m"), 0),
            )
        ):
            log = tmp_path / "state" / f"{number}.jsonl"
            log.parent.mkdir(exist_ok=True)
            code, out, err = cdcctl("-vv", "--log-file", str(log), *words)
            assert code == expected, err
            said += [out, err]
        held = passwords(fake_aws)
        documents = stack_documents(fake_aws, "demo", "demo-bootstrap")
        assets = fake_aws.client("s3").get_paginator("list_objects_v2")
        keys = [
            each["Key"]
            for page in assets.paginate(Bucket=f"demo-assets-{fake_aws.account}")
            for each in page["Contents"]
        ]
        texts = [
            fake_aws.client("s3").get_object(Bucket=f"demo-assets-{fake_aws.account}", Key=key)
            for key in keys
            if key.endswith((".json", ".yaml", ".sql"))
        ]
        assert len(held) >= 3, held.keys()
        surfaces = {
            "output": "".join(said),
            "log and state": texts_of(tmp_path / "state"),
            "arguments": "".join(arguments),
            "stacks": documents,
            "assets": "".join(each["Body"].read().decode() for each in texts),
        }
        assert all(surfaces.values()), {place: len(text) for place, text in surfaces.items()}
        assert told_passwords(held, surfaces) == []
    for kind in ("delta", "quarantine", "assets", "access-logs"):
        fill(fake_aws, f"demo-{kind}-{fake_aws.account}")
    # Network interfaces outlive the functions, and hold subnets and groups until they go.
    fake_aws.settings(lambda_interfaces=True)
    report = removed(cdcctl, "--retain", "none")
    assert report["left"] == []
    left = fake_aws.client("ec2").describe_network_interfaces()["NetworkInterfaces"]
    assert [each for each in left if "Lambda VPC ENI" in each["Description"]] == []
    assert len(report["inventory"]["buckets"]) == 4
    assert buckets(fake_aws) == set()
    assert "Enabled" not in data_key_states(fake_aws)
    again = removed(cdcctl, "--retain", "none")
    assert again["steps"] == []
    assert again["inventory"]["stacks"] == []


@pytest.mark.slow
def test_data_stays_unless_it_is_to_go(cdcctl: Run, fake_aws: FakeAws) -> None:
    deploy(cdcctl)
    delta = f"demo-delta-{fake_aws.account}"
    fill(fake_aws, delta)
    report = removed(cdcctl)
    assert report["left"] == []
    assert buckets(fake_aws) == {delta, f"demo-quarantine-{fake_aws.account}"}
    kept = fake_aws.client("s3").list_objects_v2(Bucket=delta)
    assert kept["KeyCount"] == 2


def data_key_states(fake_aws: FakeAws) -> list[str]:
    kms = fake_aws.client("kms")
    keys = [
        kms.describe_key(KeyId=each["KeyId"])["KeyMetadata"] for each in kms.list_keys()["Keys"]
    ]
    return sorted(key["KeyState"] for key in keys if "lake," in key["Description"])


def test_a_snapshot_that_stays_keeps_its_key(cdcctl: Run, fake_aws: FakeAws) -> None:
    deploy(cdcctl)
    assert data_key_states(fake_aws) == ["Enabled"]
    report = removed(cdcctl, "--retain", "none", "--final-snapshot")
    assert report["left"] == []
    assert report["kept_cost"]["parts"] == {"snapshots": 4.75, "keys": 1.0}
    (slots,) = [each for each in report["steps"] if each["step"] == "replication slots"]
    assert slots["status"] == "skipped", "nothing answers as the database here"
    assert slots["detail"].startswith("left to DMS: the database does not answer")
    assert [stays for stays in report["kept"] if "a last snapshot of" in stays]
    assert data_key_states(fake_aws) == ["Enabled"]


def test_all_buckets_can_stay_though_both_stacks_go(cdcctl: Run, fake_aws: FakeAws) -> None:
    deploy(cdcctl)
    kinds = ("delta", "quarantine", "assets", "access-logs")
    for kind in kinds:
        fill(fake_aws, f"demo-{kind}-{fake_aws.account}")
    report = removed(cdcctl, "--retain", "all", "--no-final-snapshot")
    assert report["left"] == []
    assert not [stays for stays in report["kept"] if "snapshot" in stays]
    assert buckets(fake_aws) == {f"demo-{kind}-{fake_aws.account}" for kind in kinds}
    code, out, _ = cdcctl("teardown", "--dry-run", "-o", "json")
    assert (code, json.loads(out)["data"]["inventory"]["stacks"]) == (0, [])


def test_what_services_keep_beside_a_stack_is_found_and_goes(
    cdcctl: Run, fake_aws: FakeAws, tmp_path: Path
) -> None:
    deploy(cdcctl)
    rds, logs, functions = (fake_aws.client(name) for name in ("rds", "logs", "lambda"))
    (database,) = rds.describe_db_instances()["DBInstances"]
    identifier = database["DBInstanceIdentifier"]
    rds.create_db_snapshot(DBSnapshotIdentifier="by-hand", DBInstanceIdentifier=identifier)
    backup = {"DBInstanceIdentifier": identifier, "AllocatedStorage": 50}
    fake_aws.settings(
        rds_backups=[
            {**backup, "DbiResourceId": "db-OLD", "Status": "retained"},
            {**backup, "DbiResourceId": "db-NOW", "Status": "active"},
        ]
    )
    delta = f"demo-delta-{fake_aws.account}"
    target = {"TargetBucket": f"demo-access-logs-{fake_aws.account}", "TargetPrefix": "delta/"}
    logging = {"LoggingEnabled": target}
    fake_aws.client("s3").put_bucket_logging(Bucket=delta, BucketLoggingStatus=logging)
    own = {
        "/aws-glue/jobs/demo-security-role/demo-GlueRole/output",
        "/aws-glue/jobs/logs-v2-demo-security",
        f"/aws/rds/instance/{identifier.lower()}/upgrade",
    }
    others = {"/aws-glue/jobs/output", "/aws/rds/instance/demo-two-dbinstance-x1/upgrade"}
    for group in own | others:
        logs.create_log_group(logGroupName=group)
    layer = archive({"python/x.py": ""})
    functions.publish_layer_version(LayerName="demo-kafka", Content={"ZipFile": layer})
    functions.publish_layer_version(LayerName="demo-two-kafka", Content={"ZipFile": layer})
    versions = [lake_builder.version("2026-11-22T10:00:00Z", None, id=key) for key in (1, 2)]
    lake_builder.write_history(tmp_path, "vehicles", {"id": "int"}, versions)
    for file in filter(Path.is_file, (tmp_path / "delta").rglob("*")):
        key = str(file.relative_to(tmp_path / "delta"))
        fake_aws.client("s3").upload_file(str(file), delta, key)

    assert loggings(fake_aws)[delta]
    first = removed(cdcctl)
    assert first["inventory"]["lake"] == [{"table": "vehicles", "history": 2, "refused": 0}]
    assert own <= set(first["inventory"]["log_groups"])
    assert {"snapshot by-hand", "automated backup db-OLD"} <= set(first["kept"])
    assert first["left"] == []
    assert not any(loggings(fake_aws).values())
    assert {each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]} == others
    assert {each["LayerName"] for each in functions.list_layers()["Layers"]} == {"demo-two-kafka"}

    secrets = fake_aws.client("secretsmanager")
    for name in ("demo-dms-source", "demo-two-dms-source"):
        secrets.create_secret(Name=name, SecretString="x")
        secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    secrets.create_secret(Name="AmazonMSK_demo_scram", SecretString="x")
    second = removed(cdcctl, "--retain", "none")
    assert {
        "snapshot by-hand",
        "automated backup db-OLD",
        "secret demo-dms-source",
        "secret AmazonMSK_demo_scram",
    } <= set(second["inventory"]["leftovers"])
    assert (second["left"], second["kept"]) == ([], [])
    assert rds.describe_db_snapshots()["DBSnapshots"] == []
    backups = rds.describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"]
    assert [each["DbiResourceId"] for each in backups] == ["db-NOW"]
    waiting = secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"]
    assert [each["Name"] for each in waiting] == ["demo-two-dms-source"]


@pytest.mark.slow
def test_a_bucket_of_more_than_a_thousand_delete_markers_is_emptied(
    cdcctl: Run, fake_aws: FakeAws
) -> None:
    deploy(cdcctl)
    s3, bucket = fake_aws.client("s3"), f"demo-assets-{fake_aws.account}"
    for _ in range(1_050):
        s3.delete_object(Bucket=bucket, Key="gone")
    assert removed(cdcctl, "--retain", "none")["left"] == []
    assert buckets(fake_aws) == set()


@pytest.mark.slow
def test_a_bucket_of_more_than_a_thousand_versions_is_emptied(
    cdcctl: Run, fake_aws: FakeAws
) -> None:
    deploy(cdcctl)
    fill(fake_aws, f"demo-assets-{fake_aws.account}", 1_050)
    assert removed(cdcctl, "--retain", "none")["left"] == []
    assert buckets(fake_aws) == set()


@pytest.mark.parametrize("words", [("--confirm", "dem"), ("--no-input",)])
def test_without_the_name_nothing_goes(
    words: tuple[str, ...], on_one_stack: tuple[Run, FakeAws]
) -> None:
    cdcctl, _ = on_one_stack
    code, _, err = cdcctl("teardown", *words)
    assert code == ExitCode.CONFIRM
    assert "TDN001" in err
    code, out, _ = cdcctl("teardown", "--dry-run", "-o", "json")
    assert code == 0
    assert json.loads(out)["data"]["inventory"]["stacks"] == ["demo", "demo-bootstrap"]


def test_on_a_terminal_the_question_stands_until_it_is_answered(
    on_one_stack: tuple[Run, FakeAws],
) -> None:
    def hesitating() -> str:
        time.sleep(0.6)
        return "dem"

    code, shown = on_a_terminal(
        "teardown",
        answers=[
            ("What stays (data, quarantine, all, none)?", "everything"),
            ("`everything` is none of data, quarantine, all, none", "all"),
            ("Type demo to remove it", hesitating),
        ],
    )
    assert code == ExitCode.CONFIRM, shown
    _, _, after = shown.partition("Type demo to remove it")
    question, is_answered, end = after.partition("dem\r\n")
    assert is_answered
    assert "\x1b" not in question
    assert "nothing was removed: `dem` is not demo" in end


@pytest.mark.slow
def test_a_protected_stack_goes_only_when_that_is_said(cdcctl: Run, fake_aws: FakeAws) -> None:
    deploy(cdcctl)
    fake_aws.client("cloudformation").update_termination_protection(
        StackName="demo", EnableTerminationProtection=True
    )
    code, _, err = cdcctl("teardown", "--confirm", "demo")
    assert code == ExitCode.CONFIRM
    assert "TDN002" in err
    assert removed(cdcctl, "--retain", "none", "--disable-protection")["left"] == []


def test_a_deletion_that_fails_or_is_left_is_gone_on_with(cdcctl: Run, fake_aws: FakeAws) -> None:
    deploy(cdcctl)
    fake_aws.cfnfail(**{"delete:MskCluster": "the cluster is busy"})
    code, _, err = cdcctl("teardown", "--confirm", "demo", "--retain", "none")
    assert code == ExitCode.PARTIAL
    assert "MskCluster (AWS::MSK::Cluster) arn:" in err
    assert ": the cluster is busy" in err
    assert "--abandon MskCluster   leaves it behind, where it bills on" in err
    code, _, err = cdcctl("deploy", "--yes")
    assert code == ExitCode.FAILED
    assert "CFN022" in err
    assert "cdcctl teardown --stack demo" in err
    fake_aws.cfnfail()
    fake_aws.speed(0.15)
    words = ("teardown", "--confirm", "demo", "--retain", "none")
    said = interrupted(words, "deleting demo")
    assert "cdcctl teardown --stack demo   does the rest" in said
    code, _, err = cdcctl("deploy", "--yes")
    assert code == ExitCode.FAILED, err
    assert "DELETE_IN_PROGRESS: attached to it" in err
    assert "CFN012" in err
    fake_aws.speed(0)
    fake_aws.cfnfail(**{"delete:AssetsBucketPolicy": "the policy is stuck"})
    report = removed(cdcctl, "--retain", "none", "--abandon", "AssetsBucketPolicy", code=9)
    (left,) = report["left"]
    assert left.startswith("AssetsBucketPolicy (AWS::S3::BucketPolicy) demo-assets-")
    assert report["steps"][-2]["status"] == "done"
    assert buckets(fake_aws) == set()


def test_another_stack_with_a_longer_name_stays_and_runs(cdcctl: Run, fake_aws: FakeAws) -> None:
    longest = "demo-" + "a" * 33
    assert len(longest) == 38
    deploy(cdcctl)
    deploy(cdcctl, longest)
    assert removed(cdcctl, "--retain", "none")["left"] == []
    left = buckets(fake_aws)
    assert {f"{longest}-{kind}-{fake_aws.account}" for kind in ("delta", "assets")} <= left
    assert not [name for name in left if not name.startswith(f"{longest}-")]
    code, out, _ = cdcctl("teardown", "--stack", longest, "--dry-run", "-o", "json")
    assert code == 0
    assert json.loads(out)["data"]["inventory"]["stacks"] == [longest, f"{longest}-bootstrap"]
    code, out, err = cdcctl("start", "--stack", longest, "-o", "json")
    assert code == 0, err
    assert {each["status"] for each in json.loads(out)["data"]["steps"]} == {"unchanged"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"service": "s3", "op": "ListObjectVersions", "code": "AccessDenied", "http": 403}, 4),
        (
            {"service": "cloudformation", "op": "DeleteStack", "code": "ExpiredToken", "http": 403},
            4,
        ),
    ],
)
def test_what_aws_refuses_has_its_exit_code_and_the_next_run_goes_on(
    fault: dict[str, Any], code: int, cdcctl: Run, fake_aws: FakeAws
) -> None:
    deploy(cdcctl)
    fake_aws.fault(**fault)
    seen, _, err = cdcctl("teardown", "--confirm", "demo", "--retain", "none")
    assert seen == code, err
    fake_aws.clear_faults()
    assert removed(cdcctl, "--retain", "none")["left"] == []
