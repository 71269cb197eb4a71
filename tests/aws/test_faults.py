"""What goes wrong on AWS: the right exit code, the cause, the way out, and the next run goes on."""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cdcctl.errors import ExitCode
from cdcctl.ui.output import schema_of
from tests.fakeaws.fixture import REGION, FakeAws
from tests.terminal import on_a_terminal

pytestmark = pytest.mark.aws

Run = Callable[..., tuple[int, str, str]]
DEPLOY = ("deploy", "--yes", "--skip", "db,topics")
FAULTS = [
    pytest.param({"code": "ThrottlingException", "times": 2}, 0, "", marks=pytest.mark.slow),
    ({"code": "AccessDenied", "http": 403}, ExitCode.CREDENTIALS, "AWS004"),
    ({"code": "ExpiredToken", "http": 403}, ExitCode.CREDENTIALS, "AWS002"),
    pytest.param({"drop": True, "times": 1}, 0, "", marks=pytest.mark.slow),
]


def deploy(cdcctl: Run) -> None:
    code, _, err = cdcctl(*DEPLOY)
    assert code == 0, err


@pytest.mark.parametrize(("fault", "code", "said"), FAULTS)
@pytest.mark.parametrize(
    ("words", "service", "operation"),
    [
        (("status",), "cloudformation", "DescribeStacks"),
        (("doctor",), "sts", "GetCallerIdentity"),
        (("start", "dms"), "dms", "DescribeReplicationTasks"),
        (("stop", "glue"), "glue", "GetJobRuns"),
        (("plan",), "cloudformation", "CreateChangeSet"),
        (("teardown", "--dry-run"), "logs", "DescribeLogGroups"),
        (("sync-catalog",), "lambda", "Invoke"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_aws_answers_decides_the_exit_code(
    words: tuple[str, ...],
    service: str,
    operation: str,
    fault: dict[str, Any],
    code: int,
    said: str,
    on_one_stack: tuple[Run, FakeAws],
) -> None:
    cdcctl, fake_aws = on_one_stack
    fake_aws.fault(service=service, op=operation, **fault)
    try:
        seen, _, err = cdcctl(*words)
    finally:
        fake_aws.clear_faults()
    if words == ("doctor",) and code == 0:
        # The fresh account of the fake lacks what doctor looks for.
        assert seen in {ExitCode.DONE, ExitCode.UNHEALTHY}, err
        return
    assert seen == code, err
    assert said in err


def test_a_deploy_that_is_broken_off_anywhere_goes_on_and_does_nothing_twice(
    cdcctl: Run, fake_aws: FakeAws
) -> None:
    denied, expired = {"code": "AccessDenied", "http": 403}, {"code": "ExpiredToken", "http": 403}
    once = {"times": 1}
    cases: tuple[tuple[list[tuple[str, str, dict[str, Any]]], int, str], ...] = (
        ([("s3", "PutObject", {**denied, "skip": 5})], ExitCode.CREDENTIALS, "AWS004"),
        (
            [("cloudformation", "CreateChangeSet", {**expired, "skip": 1})],
            ExitCode.CREDENTIALS,
            "AWS002",
        ),
        (
            [
                ("cloudformation", "ExecuteChangeSet", {"lose": True, **once}),
                ("cloudformation", "DescribeStackEvents", {"drop": True, "skip": 1, **once}),
                ("dms", "StartReplicationTask", expired),
            ],
            ExitCode.CREDENTIALS,
            "AWS002",
        ),
        ([("glue", "StartJobRun", denied)], ExitCode.CREDENTIALS, "AWS004"),
        (
            [
                ("glue", "StartJobRun", {"code": "ConcurrentRunsExceededException", **once}),
                ("glue", "StartJobRun", {"lose": True, **once}),
            ],
            0,
            "",
        ),
    )
    for faults, code, said in cases:
        for service, operation, fault in faults:
            fake_aws.fault(service=service, op=operation, **fault)
        seen, _, err = cdcctl(*DEPLOY)
        fake_aws.clear_faults()
        assert seen == code, err
        assert said in err
        if code:
            assert "why:" in err
            assert "fix:" in err
    code, out, err = cdcctl(*DEPLOY, "-o", "json")
    assert (code, json.loads(out)["data"]["changed"]) == (0, False), err
    assert len(fake_aws.client("glue").get_job_runs(JobName="demo-cdc")["JobRuns"]) == 1
    locks = fake_aws.client("s3").list_objects_v2(
        Bucket=f"demo-assets-{fake_aws.account}", Prefix="locks/"
    )
    assert locks["KeyCount"] == 0
    # One lost answer each, and one start of DMS that was refused.
    calls = [operation for _, operation in fake_aws.calls(only_cdcctl=True)]
    assert calls.count("ExecuteChangeSet") == 3
    assert calls.count("StartReplicationTask") == 2
    events = fake_aws.client("cloudformation").get_paginator("describe_stack_events")
    begun = [
        each
        for page in events.paginate(StackName="demo")
        for each in page["StackEvents"]
        if each["LogicalResourceId"] == "demo" and each["ResourceStatus"] == "CREATE_IN_PROGRESS"
    ]
    assert len(begun) == 1


def test_another_run_of_the_job_is_left_alone(
    on_one_stack: tuple[Run, FakeAws],
) -> None:
    cdcctl, fake_aws = on_one_stack
    glue = fake_aws.client("glue")
    (before,) = (run["Id"] for run in glue.get_job_runs(JobName="demo-cdc")["JobRuns"][:1])
    code, out, err = cdcctl("start", "glue", "-o", "json")
    assert code == 0, err
    (step,) = json.loads(out)["data"]["steps"]
    assert step == {"step": "start glue", "status": "unchanged", "detail": f"run {before} lives"}
    assert glue.get_job_runs(JobName="demo-cdc")["JobRuns"][0]["Id"] == before


def test_the_holder_of_data_is_made_anew_only_with_leave_after_somebody_elses_update(
    cdcctl: Run, fake_aws: FakeAws
) -> None:
    deploy(cdcctl)
    cloudformation = fake_aws.client("cloudformation")
    body = cloudformation.get_template(StackName="demo")["TemplateBody"]
    template = json.loads(body) if isinstance(body, str) else body
    template["Resources"]["MskCluster"]["Properties"]["ClusterName"] = "another"
    (stack,) = cloudformation.describe_stacks(StackName="demo")["Stacks"]
    fake_aws.speed(0.1)
    assets = f"demo-assets-{fake_aws.account}"
    fake_aws.client("s3").put_object(Bucket=assets, Key="t.json", Body=json.dumps(template))
    cloudformation.update_stack(
        StackName="demo",
        TemplateURL=f"https://{assets}.s3.{REGION}.amazonaws.com/t.json",
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[
            {"ParameterKey": each["ParameterKey"], "UsePreviousValue": True}
            for each in stack["Parameters"]
        ],
    )
    before = len(fake_aws.calls())
    code, _, err = cdcctl(*DEPLOY)
    assert code == ExitCode.CONFIRM, err
    assert "UPDATE_IN_PROGRESS: attached to it" in err
    assert "CFN030" in err
    assert "--allow-replace MskCluster" in err
    operations = [operation for _, operation in fake_aws.calls()[before:]]
    assert "ExecuteChangeSet" not in operations
    assert "DeleteChangeSet" in operations
    fake_aws.speed(0)
    kafka = fake_aws.client("kafka")
    clusters = {each["ClusterName"]: each for each in kafka.list_clusters_v2()["ClusterInfoList"]}
    kafka.delete_cluster(ClusterArn=clusters["demo"]["ClusterArn"])
    code, _, err = cdcctl(*DEPLOY, "--allow-replace", "MskCluster")
    assert code == 0, err
    clusters = {each["ClusterName"]: each for each in kafka.list_clusters_v2()["ClusterInfoList"]}
    # What held data is kept when another takes its place.
    assert clusters.keys() == {"demo", "another"}

    for name, fix in (
        ("demo", "continue-update-rollback --stack-name demo "),
        ("demo-bootstrap", "continue-update-rollback --stack-name demo-bootstrap "),
    ):
        fake_aws.cfnfail(**{f"status:{name}": {"reason": "UPDATE_ROLLBACK_FAILED", "times": 1}})
        code, _, err = cdcctl(*DEPLOY)
        assert code == ExitCode.FAILED, err
        assert f"the stack {name} is UPDATE_ROLLBACK_FAILED" in err
        assert fix in err
    # On a terminal the way out is offered: of one stack now, of the other when it is met.
    code, shown = on_a_terminal(
        *("--no-color", "deploy", "--skip", "db,topics"),
        answers=[
            ("Continue the rollback of demo-bootstrap now?", "y"),
            ("The old state runs. Deploy again now?", "y"),
            ("Continue the rollback of demo now?", "y"),
            ("The old state runs. Deploy again now?", "y"),
        ],
    )
    assert code == 0, shown
    assert "the stack demo is UPDATE_ROLLBACK_FAILED" in shown
    assert "nothing had to change" in shown
    calls = [operation for _, operation in fake_aws.calls(only_cdcctl=True)]
    assert calls.count("ContinueUpdateRollback") == 2


def test_what_a_lambda_meets_is_told_though_its_answer_is_a_200(
    on_one_stack: tuple[Run, FakeAws],
) -> None:
    cdcctl, fake_aws = on_one_stack
    fake_aws.fault(service="glue", op=".*Table.*", code="AccessDeniedException", message="not you")
    try:
        code, _, err = cdcctl("sync-catalog")
    finally:
        fake_aws.clear_faults()
    assert code == ExitCode.FAILED, err
    assert "the Lambda demo-athena-table-creator" in err
    assert "not you" in err
    assert "cdcctl logs lambda:demo-athena-table-creator" in err
    assert cdcctl("sync-catalog")[0] == 0


def test_topics_that_cannot_be_made_are_told(on_one_stack: tuple[Run, FakeAws]) -> None:
    cdcctl, fake_aws = on_one_stack
    refused = {"code": "AccessDeniedException", "message": "no key for this secret"}
    fake_aws.fault(service="secretsmanager", op="GetSecretValue", **refused)
    try:
        code, _, err = cdcctl("deploy", "--yes", "--only", "topics")
    finally:
        fake_aws.clear_faults()
    assert code == ExitCode.FAILED, err
    assert "the Lambda demo-kafka-admin" in err
    assert "no key for this secret" in err
    assert "cdcctl logs lambda:demo-kafka-admin" in err


def test_a_plan_that_cannot_be_written_leaves_no_stack_behind(
    cdcctl: Run, fake_aws: FakeAws, tmp_path: Path
) -> None:
    code, _, err = cdcctl("plan", "--out", str(tmp_path / "none" / "plan.json"))
    assert code == ExitCode.USAGE, err
    assert "CFN036" in err
    assert "No such file or directory" in err
    assert cdcctl("status")[0] == ExitCode.NOT_FOUND


def test_the_first_cause_of_a_rollback_is_told_with_its_line(
    cdcctl: Run, fake_aws: FakeAws
) -> None:
    fake_aws.cfnfail(MskCluster="You have reached the broker quota")
    code, _, err = cdcctl(*DEPLOY)
    assert code == ExitCode.FAILED
    assert "MskCluster (AWS::MSK::Cluster)" in err
    assert "You have reached the broker quota" in err
    assert "templates/pipeline.yaml:" in err
    assert "ROLLBACK_COMPLETE" in err
    before = len(fake_aws.calls())
    code, _, err = cdcctl("plan")
    assert (code, "CFN024" in err) == (ExitCode.FAILED, True), err
    assert ("cloudformation", "DeleteStack") not in fake_aws.calls()[before:]

    def mended() -> str:
        fake_aws.cfnfail()
        expired = {"code": "ExpiredToken", "http": 403, "times": 1}
        fake_aws.fault(service="cloudformation", op="DescribeStackEvents", **expired)
        return "y"

    code, shown = on_a_terminal(
        *("--no-color", "deploy", "--skip", "db,topics"),
        answers=[
            ("Carry this out?", "y"),
            ("remove what is left of demo, and create it anew?", mended),
            ("Then press Enter here", ""),
            ("Carry this out?", "y"),
        ],
    )
    assert code == 0, shown
    assert "another terminal: aws sso login\r\n" in shown
    # What was at work as it failed stays on the screen, above the error.
    frozen, _, rest = shown.partition("error[CFN020]")
    assert "✖ stack" in frozen
    assert "demo ROLLBACK_COMPLETE" in frozen
    assert "✔ stack: done" in rest


def test_an_update_that_fails_leaves_what_ran(
    cdcctl: Run, fake_aws: FakeAws, changed_config: str
) -> None:
    deploy(cdcctl)
    fake_aws.cfnfail(**{"update:GlueJob": "no such argument"})
    code, _, err = cdcctl(*DEPLOY, "-c", changed_config)
    assert code == ExitCode.FAILED
    assert "GlueJob" in err
    assert "no such argument" in err
    fake_aws.cfnfail()
    code, out, err = cdcctl(*DEPLOY, "-c", changed_config, "-o", "json")
    assert code == 0, err
    steps = {each["step"]: each["status"] for each in json.loads(out)["data"]["steps"]}
    assert steps["stack"] == "done"
    assert steps["start glue"] == "done"


def test_a_source_that_dms_cannot_reach_is_told(cdcctl: Run, fake_aws: FakeAws) -> None:
    fake_aws.cfnfail(**{"dms-connection": "SASL authentication failed"})
    code, _, err = cdcctl(*DEPLOY)
    assert code == ExitCode.FAILED
    assert "DMS005" in err
    assert "SASL authentication failed" in err
    fake_aws.cfnfail()
    deploy(cdcctl)


def test_a_breaking_change_is_refused_before_anything(
    on_one_stack: tuple[Run, FakeAws], breaking_config: str
) -> None:
    cdcctl, fake_aws = on_one_stack
    before = len(fake_aws.calls())
    code, _, err = cdcctl(*DEPLOY, "-c", breaking_config)
    assert code == ExitCode.CONFIG
    assert "CFG060" in err
    operations = [operation for _, operation in fake_aws.calls()[before:]]
    assert "ExecuteChangeSet" not in operations
    assert "StopReplicationTask" not in operations


def test_without_consent_nothing_is_made(cdcctl: Run, fake_aws: FakeAws) -> None:
    left = f"demo-delta-{fake_aws.account}"
    place = {"LocationConstraint": REGION}
    fake_aws.client("s3").create_bucket(Bucket=left, CreateBucketConfiguration=place)
    code, _, err = cdcctl("deploy")
    assert code == ExitCode.CONFIRM
    assert "CFN032" in err
    assert f"warning: leftover buckets: left by an earlier stack: {left}" in err
    assert re.search(r"preflight: unchanged \(\d+ of \d+ checks passed\)", err)
    code, _, err = cdcctl("status")
    assert code == ExitCode.NOT_FOUND
    assert "CFN001" in err


def test_a_plan_changes_nothing_and_says_so_by_its_code(cdcctl: Run, fake_aws: FakeAws) -> None:
    code, out, err = cdcctl("plan", "--detailed-exitcode", "-o", "json")
    assert code == ExitCode.CHANGES, err
    document = json.loads(out)
    jsonschema.validate(document, schema_of("plan/v1"))
    assert len(document["data"]["changes"]) > 50
    assert document["data"]["minutes"][0] > 15
    assert document["data"]["beside"] == ["db", "topics", "catalog", "start"]
    assert cdcctl("status")[0] == ExitCode.NOT_FOUND
    deploy(cdcctl)
    code, out, err = cdcctl("plan", "--detailed-exitcode")
    assert code == 0, err
    assert "nothing would change" in out


def test_a_lock_is_respected_until_it_runs_out_or_its_process_is_gone(
    on_one_stack: tuple[Run, FakeAws],
) -> None:
    cdcctl, fake_aws = on_one_stack
    s3, bucket = fake_aws.client("s3"), f"demo-assets-{fake_aws.account}"
    here = f"{getpass.getuser()}@{socket.gethostname()}"
    gone = subprocess.Popen(["true"])
    gone.wait()
    later, before = "2999-01-01T00:00:00+00:00", "2001-01-01T00:00:00+00:00"
    for held, code in (
        ({"owner": "ann@there", "process": gone.pid, "expires": later}, 1),
        ({"owner": "ann@there", "process": gone.pid, "expires": before}, 0),
        ({"owner": here, "process": os.getppid(), "expires": later}, 1),
        ({"owner": here, "expires": later}, 1),
        ({"owner": here, "process": gone.pid, "expires": later}, 0),
    ):
        s3.put_object(Bucket=bucket, Key="locks/deploy.json", Body=json.dumps(held).encode())
        seen, _, err = cdcctl("deploy", "--yes", "--only", "catalog")
        assert seen == code, err
        assert (f"{held['owner']} deploys this stack" in err) is bool(code)


@pytest.mark.parametrize("name", ["a" * 39, "Demo", "demo_x"])
def test_a_name_that_cannot_be_a_stack_is_refused_with_the_limit(name: str, cdcctl: Run) -> None:
    code, _, err = cdcctl("deploy", "--yes", "--stack", name)
    assert code == ExitCode.USAGE
    assert "USE021" in err
    assert ("38 is the limit" in err) is (len(name) > 38)


def test_start_and_stop_do_it_once(cdcctl: Run, fake_aws: FakeAws) -> None:
    deploy(cdcctl)
    assert json.loads(cdcctl("start", "-o", "json")[1])["data"]["steps"][1]["status"] == "unchanged"
    stopped = json.loads(cdcctl("stop", "-o", "json")[1])["data"]["steps"]
    assert {each["status"] for each in stopped} == {"done"}
    again = json.loads(cdcctl("stop", "-o", "json")[1])["data"]["steps"]
    assert {each["status"] for each in again} == {"unchanged"}
    code, out, err = cdcctl("start", "--allow-quarantine", "vehicles", "-o", "json")
    assert code == 0, err
    assert json.loads(out)["data"]["steps"][0]["detail"] == "resumed"
    newest = fake_aws.client("glue").get_job_runs(JobName="demo-cdc")["JobRuns"][0]
    assert newest["Arguments"] == {"--allow-quarantine": "vehicles"}


def test_logs_of_all_parts_are_merged_by_time(on_one_stack: tuple[Run, FakeAws]) -> None:
    cdcctl, fake_aws = on_one_stack
    logs = fake_aws.client("logs")
    group = "/aws/lambda/demo-sql-runner"
    logs.create_log_stream(logGroupName=group, logStreamName="one")
    now = int(time.time() * 1000)
    said = ("REPORT RequestId: x", "password=s3cr3t for vehicles", "drivers are made")
    logs.put_log_events(
        logGroupName=group,
        logStreamName="one",
        logEvents=[{"timestamp": now + place, "message": text} for place, text in enumerate(said)],
    )
    code, out, err = cdcctl("logs", "--since", "10m", "-o", "json")
    assert code == 0, err
    document = json.loads(out)
    jsonschema.validate(document, schema_of("logs/v1"))
    lines = document["data"]["lines"]
    assert {"cfn", "lambda:sql-runner"} <= {line["source"] for line in lines}
    moments = [datetime.fromisoformat(line["at"]) for line in lines]
    assert moments == sorted(moments)
    texts = [line["text"] for line in lines if line["source"].startswith("lambda")]
    ours = ["password=**** for vehicles", "drivers are made"]
    assert [text for text in texts if text in ours] == ours
    assert not [text for text in texts if "REPORT" in text or "s3cr3t" in text]
    code, out, _ = cdcctl("logs", "lambda:sql-runner", "--table", "drivers")
    assert out.count("\n") == 1
    code, out, err = cdcctl("logs", "-f", "--timeout", "0", "--grep", "CREATE_COMPLETE")
    assert code == 0, err
    assert "MskCluster CREATE_COMPLETE" in out
    assert cdcctl("logs", "nobody")[0] == ExitCode.USAGE
    assert cdcctl("logs", "--grep", "(")[0] == ExitCode.USAGE
