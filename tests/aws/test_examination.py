"""doctor through the command line, on an account of the fake AWS."""

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
from tests.fakeaws.fixture import REGION, FakeAws

pytestmark = pytest.mark.aws

Run = Callable[..., tuple[int, str, str]]
CONFIG = str(Path("config/tables.yaml").absolute())


def checks(cdcctl: Run, *words: str) -> dict[str, dict[str, Any]]:
    """Give the checks by area and name; of several of one name the last."""
    code, out, err = cdcctl("doctor", "-o", "json", *words)
    assert code in {ExitCode.DONE, ExitCode.UNHEALTHY}, err
    document = json.loads(out)
    jsonschema.validate(document, schema_of("doctor/v1"))
    return {f"{each['area']}: {each['name']}": each for each in document["data"]["checks"]}


def test_each_value_is_told_with_its_origin(
    cdcctl: Run, fake_aws: FakeAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cdcctl.toml").write_text(
        f'[env.prod]\nexpected_account = "{fake_aws.account}"\n', encoding="utf-8"
    )
    found = checks(cdcctl, "-e", "prod", "-c", CONFIG)
    told = {name: each["seen"] for name, each in found.items() if name.startswith("config: ")}
    assert told == {
        "config: stack": "demo, from CDCCTL_STACK",
        "config: region": f"{REGION}, from AWS's own settings",
        "config: profile": "not set",
        "config: expected_account": f"{fake_aws.account}, from [env.prod]",
        "config: config": f"{CONFIG}, from an option",
    }


def test_what_is_not_allowed_or_too_slow_is_said_in_its_place(
    cdcctl: Run, fake_aws: FakeAws
) -> None:
    fake_aws.fault(service="rds", op="DescribeDBInstances", code="AccessDenied", http=403)
    fake_aws.fault(service="ec2", op="DescribeVpcs", delay=20)
    began = time.monotonic()
    found = checks(cdcctl)
    assert time.monotonic() - began < 15
    denied, slow = found["account: RDS instances quota"], found["account: VPCs quota"]
    assert denied["seen"] == "not checked: needs rds:DescribeDBInstances"
    assert slow["seen"] == "not checked: no answer within 5 s"
    assert {each["verdict"] for each in (denied, slow)} == {"unknown"}
    assert found["account: MSK brokers quota"]["verdict"] == "pass"


def test_what_an_earlier_stack_left_is_named(cdcctl: Run, fake_aws: FakeAws) -> None:
    fake_aws.settings(quotas={"L-C2341CDC": 0})
    secrets, logs = fake_aws.client("secretsmanager"), fake_aws.client("logs")
    secrets.create_secret(Name="AmazonMSK_demo_scram", SecretString="x")
    secrets.delete_secret(SecretId="AmazonMSK_demo_scram", RecoveryWindowInDays=7)
    logs.create_log_group(logGroupName="/cdcctl/demo/kafka")
    found = checks(cdcctl)
    fix = "cdcctl teardown --stack demo   removes what is left, or rename the stack"
    assert found["account: leftover secrets"]["fix"] == fix
    passed = {name for name, each in found.items() if each["verdict"] == "pass"}
    assert {"region", "bucket names", "database sizes", "dms sizes"} <= {
        name.removeprefix("account: ") for name in passed
    }
    failed = {name: each["seen"] for name, each in found.items() if each["verdict"] == "fail"}
    assert failed == {
        "account: leftover secrets": "left by an earlier stack: AmazonMSK_demo_scram; a new one"
        " collides with it",
        "account: leftover log groups": "left by an earlier stack: /cdcctl/demo/kafka; a new one"
        " collides with it",
        "account: DMS instances quota": "0 of 0 are used, expected room for 1",
    }
