"""deploy, plan, start, stop on the fake AWS, through the command line."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cdcctl.errors import ExitCode
from cdcctl.operations.deploy_choice import OnFailure
from cdcctl.operations.infrastructure import InfraChange, StackOptions
from cdcctl.ui.output import schema_of
from tests.aws.conftest import interrupted
from tests.fakeaws.fixture import FakeAws
from tests.local.tls_door import CERTIFICATES

pytestmark = pytest.mark.aws

Run = Callable[..., tuple[int, str, str]]
NO_SERVERS = ("--skip", "db,topics")
"""Without a PostgreSQL and a broker behind the fake."""
SOME_PLAN = json.dumps(
    {
        "schema": "cdcctl/plan-file/v1",
        **dict.fromkeys(("stack", "account", "region", "code", "config", "template"), "demo"),
        **dict.fromkeys(("stack_id", "stack_changed_at", "change_set"), ""),
        **{key: [] for key in ("steps", "allow_replace", "changes", "config_changes")},
        "parameters": {},
        "allow_breaking": False,
    }
)


def deployed(cdcctl: Run, *words: str) -> dict[str, Any]:
    code, out, err = cdcctl("deploy", "--yes", "-o", "json", *NO_SERVERS, *words)
    assert code == 0, err
    document = json.loads(out)
    jsonschema.validate(document, schema_of("deploy/v1"))
    data: dict[str, Any] = document["data"]
    return data


def statuses(data: dict[str, Any]) -> dict[str, str]:
    return {step["step"]: step["status"] for step in data["steps"]}


def test_a_first_deploy_makes_everything_and_the_second_changes_nothing(
    cdcctl: Run, fake_aws: FakeAws
) -> None:
    code, out, err = cdcctl("deploy", "--yes", "-o", "jsonl", *NO_SERVERS)
    assert code == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    for line in lines:
        jsonschema.validate(line, schema_of("deploy-event/v1"))
    elapsed = [line["elapsed_seconds"] for line in lines]
    assert elapsed == sorted(elapsed)
    made = {line["resource"] for line in lines if line["status"] == "CREATE_COMPLETE"}
    assert {"MskCluster", "AssetsBucket"} <= made
    first = {line["step"]: line["status"] for line in lines if line["event"] == "step"}
    assert first["stack"] == "done"
    assert first["start dms"] == "done"
    assert first["start glue"] == "done"
    assert first["sync-catalog"] == "done"
    # What CloudFormation cannot set is set as well.
    (endpoint,) = (
        each
        for each in fake_aws.client("dms").describe_endpoints()["Endpoints"]
        if each["EngineName"] == "kafka"
    )
    assert endpoint["KafkaSettings"]["UseLargeIntegerValue"] is True
    assert endpoint["KafkaSettings"]["SaslMechanism"] == "scram-sha-512"
    began = time.monotonic()
    before = len(fake_aws.calls())
    again = deployed(cdcctl)
    assert not again["changed"], again
    assert time.monotonic() - began < 15
    operations = [operation for _, operation in fake_aws.calls()[before:]]
    cloudformation = fake_aws.client("cloudformation")
    held = cloudformation.list_change_sets(StackName="demo")["Summaries"]
    assert [each["ExecutionStatus"] for each in held if each["Status"] == "FAILED"] == []
    for mutation in ("ExecuteChangeSet", "StartJobRun", "StartReplicationTask", "ModifyEndpoint"):
        assert mutation not in operations


def test_a_detached_deploy_is_gone_on_with(cdcctl: Run, fake_aws: FakeAws) -> None:
    begun = deployed(cdcctl, "--detach", "--tag", "team=fleet", "--tag", "cost=42")
    assert statuses(begun)["stack"] == "begun"
    assert begun["changed"]
    assert "start dms" not in statuses(begun)
    rest = statuses(deployed(cdcctl, "--no-start"))
    assert rest["sync-catalog"] == "done"
    assert "start dms" not in rest
    (stack,) = fake_aws.client("cloudformation").describe_stacks(StackName="demo")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert {tag["Key"]: tag["Value"] for tag in stack["Tags"]} == {"team": "fleet", "cost": "42"}
    assert statuses(deployed(cdcctl, "--detach"))["start dms"] == "done"


def test_a_change_that_dms_must_stand_for_is_not_left_alone(
    cdcctl: Run, fake_aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(cdcctl)
    monkeypatch.setattr(InfraChange, "touches_task", property(lambda _: True))
    before = len(fake_aws.calls())
    words = (*NO_SERVERS, "--email", "ops@example.com")
    code, _, err = cdcctl("deploy", "--yes", "--detach", *words)
    assert code == ExitCode.FAILED
    assert "CFN033" in err
    operations = [operation for _, operation in fake_aws.calls()[before:]]
    assert "DeleteChangeSet" in operations
    assert "ExecuteChangeSet" not in operations


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--tag", "team"), "`team` is not NAME=VALUE"),
        (("--tag", "aws:x=1"), "AWS's own"),
        (("--on-failure", "explode"), "'rollback', 'keep', 'delete'"),
    ],
)
def test_options_that_mean_nothing(words: tuple[str, ...], told: str, cdcctl: Run) -> None:
    code, _, err = cdcctl("deploy", *words)
    assert code == ExitCode.USAGE
    assert told in err


def test_what_cloudformation_is_told() -> None:
    options = StackOptions({"team": "fleet"}, "arn:aws:iam::1:role/cfn", OnFailure.delete)
    tags = [{"Key": "team", "Value": "fleet"}]
    assert options.of_change_set(is_new=True) == {
        "Tags": tags,
        "RoleARN": "arn:aws:iam::1:role/cfn",
        "OnStackFailure": "DELETE",
    }
    assert "OnStackFailure" not in options.of_change_set(is_new=False)
    assert StackOptions(on_failure=OnFailure.keep).of_change_set(is_new=False) == {
        "OnStackFailure": "DO_NOTHING"
    }
    assert not StackOptions().of_change_set(is_new=True)


def test_ended_early_it_says_how_to_come_back_and_the_next_run_goes_on(
    cdcctl: Run, fake_aws: FakeAws, tmp_path: Path
) -> None:
    fake_aws.speed(0.5)
    words = ("deploy", "--yes", *NO_SERVERS)
    page = "https://eu-central-1.console.aws.amazon.com/cloudformation/home?region=eu-central-1"
    for by, line in ((signal.SIGINT, "stack demo:"), (signal.SIGTERM, "stack demo is")):
        said = interrupted(words, line, by)
        assert "cdcctl deploy --stack demo   attaches to it" in said
        assert page in said
    fake_aws.speed(0)
    assert statuses(deployed(cdcctl))["verify"] == "unchanged"


def test_a_reviewed_plan_is_carried_out_once_as_it_is_and_gone_on_with(
    cdcctl: Run, fake_aws: FakeAws, tmp_path: Path, changed_config: str
) -> None:
    file = tmp_path / "plan.json"
    root = CERTIFICATES / "root.pem"
    told = ("--email", "ops@example.com", "--rds-ca", str(root))
    words = ("plan", "--skip", "db,topics", *told, "--out", str(file))
    code, out, err = cdcctl(*words, "-o", "json")
    assert code == 0, err
    assert f"cdcctl deploy --plan {file}" in err
    held, shown = json.loads(file.read_text()), json.loads(out)["data"]
    assert held["changes"] == shown["changes"]
    assert held["parameters"] == {
        "AlertEmail": "ops@example.com",
        "DatabaseCa": root.read_text(),
    }

    def refused(path: Path, *more: str) -> str:
        code, _, err = cdcctl("deploy", "--yes", "--plan", str(path), *more)
        assert code == ExitCode.FAILED, err
        assert "CFN035" in err
        assert ("cloudformation", "ExecuteChangeSet") not in fake_aws.calls()[before:]
        return err

    before = len(fake_aws.calls())
    assert "no longer holds: config" in refused(file, "-c", changed_config)
    for name, another in (("account", "another"), ("change_set", "another"), ("changes", [])):
        other = tmp_path / f"{name}.json"
        other.write_text(json.dumps({**held, name: another}))
        assert name.replace("_", " ") in refused(other)

    fake_aws.speed(0.1)
    code, _, err = cdcctl("deploy", "--yes", "--plan", str(file), "--wait-timeout", "1s")
    assert code == ExitCode.TIMEOUT, err
    assert "AWS010" in err
    fake_aws.speed(0)
    before = len(fake_aws.calls())
    code, out, err = cdcctl("deploy", "--yes", "--plan", str(file), "-o", "json")
    assert code == 0, err
    assert "CREATE_IN_PROGRESS: attached to it" in err
    assert ("cloudformation", "ExecuteChangeSet") not in fake_aws.calls()[before:]
    rest = statuses(json.loads(out)["data"])
    assert (rest["stack"], rest["start dms"], rest["start glue"]) == ("unchanged", "done", "done")
    assert "bootstrap-db" not in rest
    (stack,) = fake_aws.client("cloudformation").describe_stacks(StackName="demo")["Stacks"]
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    assert parameters["AlertEmail"] == "ops@example.com"
    (source,) = fake_aws.client("dms").describe_endpoints(
        Filters=[{"Name": "endpoint-type", "Values": ["source"]}]
    )["Endpoints"]
    assert source["SslMode"] == "verify-full"

    code, out, err = cdcctl("deploy", "--yes", "--plan", str(file), "-o", "json")
    assert (code, json.loads(out)["data"]["changed"]) == (0, False), err
    code, _, err = cdcctl(*words)
    assert code == 0, err
    deployed(cdcctl, "-c", changed_config)
    before = len(fake_aws.calls())
    assert "stack changed at" in refused(file)


@pytest.mark.parametrize(
    ("text", "words", "told"),
    [
        ("{}", (), "CFN034"),
        ("[", (), "CFN034"),
        (None, (), "CFN034"),
        ("[" * 100_000, (), "CFN034"),
        ('{"schema": "cdcctl/plan-file/v1", "stack": "demo"}', (), "CFN034"),
        (SOME_PLAN.replace('"steps": []', '"steps": 7'), (), "steps: 7 is not of type 'array'"),
        (SOME_PLAN.replace('"steps": []', '"steps": ["nap"]'), (), "steps[0]: 'nap' is not one of"),
        (SOME_PLAN.replace('"changes": []', '"changes": [null]'), (), "changes[0]: None is not"),
        (SOME_PLAN.replace("{}", '{"Profile": []}'), (), "parameters.Profile: [] is not of type"),
        (SOME_PLAN.replace("false", '"no"'), (), "allow_breaking: 'no' is not of type 'boolean'"),
        (SOME_PLAN, ("--tag", "team=fleet"), "USE036"),
        (SOME_PLAN, ("--no-start",), "USE036"),
    ],
)
def test_a_file_that_is_no_plan_and_options_beside_one(
    text: str | None, words: tuple[str, ...], told: str, cdcctl: Run, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    if text is not None:
        file.write_text(text)
    code, _, err = cdcctl("deploy", "--plan", str(file), *words)
    assert code == ExitCode.USAGE
    assert told in err
