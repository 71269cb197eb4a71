"""What a teardown marks to stay, and what it says of a stack that takes no change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cdcctl.aws.errors import AwsError
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations import run_control
from cdcctl.operations.target import Target
from cdcctl.operations.teardown_keep import Keeping, keep, retained
from cdcctl.operations.waiting import Waiting
from cdcctl.ui.progress import SilentProgress
from tests.unit.answering_aws import AnsweringAws

RESOURCES = {"DeltaBucket": "demo-delta-1", "DbInstance": "demo-db", "DataKey": "key-1"}
POLICIES = {"DeltaBucket": "Delete", "DbInstance": "Snapshot", "DataKey": "Delete"}


def stack(status: str) -> dict[str, Any]:
    made = datetime(2026, 1, 1, tzinfo=UTC)
    return {"Stacks": [{"StackId": "arn:demo", "StackStatus": status, "CreationTime": made}]}


def target(status: str, **answers: Any) -> Target:
    there = [
        {"LogicalResourceId": name, "PhysicalResourceId": physical}
        for name, physical in RESOURCES.items()
    ]
    template = {
        "Resources": {
            name: {"Type": "X", "DeletionPolicy": policy} for name, policy in POLICIES.items()
        }
    }
    known = {
        "describe_stacks": stack(status),
        "list_stack_resources": there,
        "get_template": {"TemplateBody": template},
        **answers,
    }
    return Target("demo", AnsweringAws(known))  # type: ignore[arg-type]  # answers from a table


def mark(given: Target, keeping: Keeping) -> None:
    keep(given, "demo", keeping, Waiting(1), SilentProgress(), lambda _: None)


@pytest.mark.parametrize(
    ("buckets", "final_snapshot", "policies"),
    [
        ((), False, {"DbInstance": "Delete", "DataKey": "Delete"}),
        ((), True, {"DbInstance": "Snapshot", "DataKey": "Retain"}),
        (
            ("demo-delta-1",),
            False,
            {"DeltaBucket": "Retain", "DbInstance": "Delete", "DataKey": "Retain"},
        ),
    ],
)
def test_what_is_readable_only_under_the_key_keeps_the_key(
    buckets: tuple[str, ...], final_snapshot: bool, policies: dict[str, str]
) -> None:
    assert Keeping(buckets, final_snapshot).policies(RESOURCES) == policies


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_FAILED", "ROLLBACK_COMPLETE"])
def test_a_stack_that_takes_no_change_is_not_deleted_with_what_should_stay(status: str) -> None:
    with pytest.raises(CdcctlError, match="nothing of the stack demo can be kept") as refused:
        mark(target(status), Keeping(("demo-delta-1",), final_snapshot=False))
    assert refused.value.code == "TDN004"
    assert "DataKey, DbInstance, DeltaBucket would go with it" in refused.value.why
    mark(target(status), Keeping((), final_snapshot=False))


def test_a_stack_without_its_assets_bucket_takes_no_change_either() -> None:
    gone = AwsError("AWS004", "there is no such bucket")
    gone.aws_code = "404"
    given = target("UPDATE_COMPLETE", head_bucket=gone)
    with pytest.raises(CdcctlError, match="nothing of the stack demo can be kept") as refused:
        mark(given, Keeping(("demo-delta-1",), final_snapshot=False))
    assert "which templates are read from, is gone" in refused.value.why
    mark(given, Keeping((), final_snapshot=False))


def test_both_stacks_take_the_change_that_keeps() -> None:
    asked: list[dict[str, Any]] = []

    def refuse(given: dict[str, Any]) -> None:
        asked.append(given)
        raise AwsError("CFN010", "no more of this is needed")

    given = target("UPDATE_COMPLETE", head_bucket={}, head_object={}, create_change_set=refuse)
    with pytest.raises(AwsError, match="no more of this is needed"):
        mark(given, Keeping(("demo-delta-1",), final_snapshot=True))
    assert asked[0]["Capabilities"] == ["CAPABILITY_NAMED_IAM"]


def test_a_deletion_that_failed_is_told_what_stays() -> None:
    given = target("DELETE_FAILED")
    keeping = Keeping(("demo-delta-1",), final_snapshot=True)
    mark(given, keeping)
    assert retained(given, "arn:demo", keeping) == ["DataKey", "DeltaBucket"]


@pytest.mark.parametrize(
    ("states", "named"),
    [
        ({"DeltaBucket": "DELETE_SKIPPED"}, ["DataKey"]),
        ({"DeltaBucket": "DELETE_SKIPPED", "DbInstance": "DELETE_COMPLETE"}, ["DataKey"]),
        ({"DeltaBucket": "DELETE_FAILED", "DataKey": "DELETE_SKIPPED"}, ["DeltaBucket"]),
    ],
)
def test_what_a_deletion_has_passed_is_not_named_and_has_its_say(
    states: dict[str, str], named: list[str]
) -> None:
    there = [
        {"LogicalResourceId": name, "PhysicalResourceId": id_, "ResourceStatus": states.get(name)}
        for name, id_ in RESOURCES.items()
    ]
    given = target("DELETE_FAILED", list_stack_resources=there)
    assert retained(given, "arn:demo", Keeping(("demo-delta-1",), final_snapshot=True)) == named


def test_a_job_without_its_assets_bucket_is_ended_through_the_api() -> None:
    states = ["RUNNING"]

    def run(_: Any) -> dict[str, Any]:
        return {"Id": "jr_1", "JobRunState": states[-1]}

    gone = AwsError("AWS004", "there is no such bucket")
    gone.aws_code = "NoSuchBucket"
    given = target(
        "UPDATE_COMPLETE",
        get_job_runs=lambda asked: [run(asked)],
        get_job_run=lambda asked: {"JobRun": run(asked)},
        put_object=gone,
        batch_stop_job_run=lambda _: states.append("STOPPED"),
    )
    report = run_control.stop_glue(given, Waiting(5, 0.01), SilentProgress())
    assert (report.status, report.detail) == ("done", "run jr_1 was ended by Glue")


def test_another_refusal_is_told() -> None:
    refused = AwsError("AWS003", "denied", exit_code=ExitCode.CREDENTIALS)
    refused.aws_code = "AccessDenied"
    runs = [{"Id": "jr_1", "JobRunState": "RUNNING"}]
    given = target("UPDATE_COMPLETE", get_job_runs=runs, put_object=refused)
    with pytest.raises(AwsError, match="denied"):
        run_control.stop_glue(given, Waiting(5, 0.01), SilentProgress())
