"""Every command on a fake that enforces IAM, by a user who holds the printed policy alone."""

from __future__ import annotations

import dataclasses
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from cdcctl.app import COMMANDS
from cdcctl.compile.names import StackNames
from cdcctl.errors import ExitCode
from cdcctl.operations.doctor.policies import Role, policy_parts
from glue_job.requests import ANSWER, Answer, Request
from tests.aws.conftest import use_account
from tests.fakeaws.fixture import REGION, FakeAws, FakeServer, new_account, start_server
from tests.unit import lake_builder as build

pytestmark = pytest.mark.aws

Run = Callable[..., tuple[int, str, str]]
Keys = Mapping[str, str]
OFFLINE = frozenset(
    ("demo", "seed", "init", "validate-config", "rules", "schema", "compile", "local")
)
COMMANDS_OF = {
    Role.auditor: (
        "status",
        "logs all",
        "quarantine show vehicles",
        "metrics show",
        "history show vehicles 7",
        "why vehicles 7",
    ),
    Role.operator: (
        "doctor -o json",
        "bootstrap-db",
        "sync-catalog",
        "stop",
        "start",
        "reload vehicles --yes",
        "query fleet_by_status",
        "quarantine replay vehicles --rule veh_001 --timeout 60",
        "quarantine discard vehicles --rule veh_001 --reason test --yes --timeout 60",
        "history rebuild vehicles --yes --timeout 60",
    ),
}
DEPLOY = ("deploy --yes --skip db,topics",)
REST = (
    "plan -c {config}",
    "deploy --yes --skip db,topics -c {config}",
    "sync-topics",
    "teardown --confirm demo --retain none",
)


@dataclasses.dataclass(frozen=True)
class User(FakeAws):
    """An account of the fake, reached as one of its users."""

    keys: Keys

    def env(self, account: str | None = None) -> dict[str, str]:
        return {**super().env(account), **self.keys}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeServer]:
    server = start_server(tmp_path_factory.mktemp("strict") / "server.log", AUTH="true")
    yield server
    server.stop()


def user_of(fake_aws: FakeAws, role: Role) -> User:
    iam = fake_aws.client("iam")
    name = f"{role}-user"
    iam.create_user(UserName=name)
    parts = policy_parts(role, StackNames("demo", fake_aws.account), REGION)
    for number, part in enumerate(parts):
        made = iam.create_policy(PolicyName=f"{role}-{number}", PolicyDocument=json.dumps(part))
        iam.attach_user_policy(UserName=name, PolicyArn=made["Policy"]["Arn"])
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return User(
        fake_aws.server,
        fake_aws.account,
        {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        },
    )


def give_lake(fake_aws: FakeAws, folder: Path) -> None:
    """Put a small lake into the stack's buckets."""
    too_fast = build.failure("veh_001", "range", "speed_kmh", {"min": 0, "max": 350}, "400.1")
    row = {"id": 7, "phone": "555-****", "price": "1.10"}
    build.write_quarantine(folder, [build.refused(10, "2026-11-22T10:00:00Z", [too_fast], "{}")])
    build.write_history(
        folder, "vehicles", build.VEHICLES, [build.version("2026-11-22T10:00:00Z", None, **row)]
    )
    build.write_metrics(folder, [build.measurement(1, "completeness", 1.0)])
    s3 = fake_aws.client("s3")
    for kind in ("delta", "quarantine"):
        for file in (folder / kind).rglob("*"):
            if file.is_file():
                key = str(file.relative_to(folder / kind))
                body = file.read_bytes()
                s3.put_object(Bucket=f"demo-{kind}-{fake_aws.account}", Key=key, Body=body)


@contextmanager
def answering(fake_aws: FakeAws) -> Iterator[list[str]]:
    """Answer what the job is asked, as it does between two batches; give the kinds of requests."""
    s3, bucket = fake_aws.client("s3"), {"Bucket": f"demo-assets-{fake_aws.account}"}
    ended, kinds = threading.Event(), dict[str, str]()

    def look() -> None:
        while not ended.wait(0.2):
            found = s3.list_objects_v2(**bucket, Prefix="requests/").get("Contents", ())
            keys = {each["Key"] for each in found if each["Key"].endswith(".json")}
            for key in sorted(keys - kinds.keys()):
                if key.endswith(ANSWER):
                    continue
                text = s3.get_object(**bucket, Key=key)["Body"].read().decode()
                kinds[key] = Request.from_json(text, key).kind
                done = Answer("done", {"tried": 1, "applied": 1}).as_json()
                s3.put_object(**bucket, Key=key.removesuffix(".json") + ANSWER, Body=done)

    job, told = threading.Thread(target=look), list[str]()
    job.start()
    try:
        yield told
    finally:
        ended.set()
        job.join()
        told += kinds.values()


def refusals(run: Run, lines: tuple[str, ...], config: str = "") -> list[str]:
    """Run command lines; give what the fake did not allow, be it fatal or shown in its place."""
    found = []
    for line in lines:
        code, out, err = run(*line.format(config=config).split())
        if code == ExitCode.CREDENTIALS or re.search("permission |needs [a-z]+:", out + err):
            found.append(f"{line}: {out} {err}")
    return found


def test_every_command_is_in_the_list() -> None:
    lines = (*REST, *DEPLOY, *(line for lines in COMMANDS_OF.values() for line in lines))
    assert {line.split()[0] for line in lines} | OFFLINE == {entry.name for entry in COMMANDS}


@pytest.fixture
def as_role(
    strict: FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[FakeAws, Callable[[Role], Run]]:
    """Give a fresh account, and the command line as one of its users."""
    account = FakeAws(strict, new_account())
    return account, lambda role: use_account(user_of(account, role), monkeypatch, capsys)


def test_the_printed_policies_suffice(
    as_role: tuple[FakeAws, Callable[[Role], Run]], tmp_path: Path
) -> None:
    account, user = as_role
    denied = refusals(user(Role.deployer), DEPLOY)
    give_lake(account, tmp_path)
    with answering(account) as asked:
        for role, lines in COMMANDS_OF.items():
            denied += refusals(user(role), lines)
    assert denied == []
    assert asked == ["replay", "discard", "rebuild"]


@pytest.mark.slow
def test_the_deployers_policy_suffices_to_change_and_remove(
    as_role: tuple[FakeAws, Callable[[Role], Run]], changed_config: str
) -> None:
    _, user = as_role
    assert refusals(user(Role.deployer), (*DEPLOY, *REST), changed_config) == []


def test_a_policy_is_printed_whole_and_in_parts_that_iam_takes(cdcctl: Run) -> None:
    code, whole, err = cdcctl("doctor", "--policy", "deployer")
    assert code == 0, err
    assert "--part 1 to --part" in err
    parts = [cdcctl("doctor", "--policy", "deployer", "--part", str(n))[1:] for n in (1, 2)]
    assert [warned for _, warned in parts] == ["", ""]
    statements = [each for out, _ in parts for each in json.loads(out)["Statement"]]
    assert json.loads(whole)["Statement"][: len(statements)] == statements
    code, _, err = cdcctl("doctor", "--policy", "auditor", "--part", "2")
    assert (code, "USE060" in err) == (ExitCode.USAGE, True)


def test_a_user_without_the_policy_is_refused(
    as_role: tuple[FakeAws, Callable[[Role], Run]],
) -> None:
    _, user = as_role
    assert "sts" not in (refused := refusals(user(Role.auditor), DEPLOY)[0])
    assert "cloudformation:CreateChangeSet" in refused
