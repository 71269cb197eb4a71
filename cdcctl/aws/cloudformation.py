"""Stacks, change sets and their events."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cdcctl.aws.errors import AwsError
from cdcctl.aws.session import Aws

REVIEWED = "REVIEW_IN_PROGRESS"
"""A stack that exists only as the place of a change set."""
_NOTHING = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True)
class StackState:
    """A stack as it is."""

    id: str
    status: str
    reason: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    is_protected: bool
    changed_at: datetime
    drift: str = ""
    """What the last look for changes by hand has found; empty where nobody has looked."""

    @property
    def is_moving(self) -> bool:
        """Tell whether an operation is in progress."""
        return self.status.endswith("_IN_PROGRESS") and self.status != REVIEWED


@dataclass(frozen=True)
class Change:
    """What a change set would do to one resource."""

    action: str
    logical_id: str
    type: str
    replacement: str

    @property
    def replaces(self) -> bool:
        """Tell whether the resource would be made anew, or may be."""
        return self.action == "Modify" and self.replacement in {"True", "Conditional"}


@dataclass(frozen=True)
class ChangeSet:
    """A change set that is ready, or that has nothing to change."""

    id: str
    stack_id: str
    changes: tuple[Change, ...]
    is_empty: bool = False


@dataclass(frozen=True)
class StackEvent:
    """One event of a stack, oldest first where there are several."""

    id: str
    at: datetime
    logical_id: str
    type: str
    status: str
    reason: str


def find_made(aws: Aws, name: str) -> StackState | None:
    """Give a stack that is more than the place of a change set to be reviewed."""
    state = find_stack(aws, name)
    return None if state is None or state.status == REVIEWED else state


def find_stack(aws: Aws, name: str) -> StackState | None:
    """Give a stack by name or id; None when there is none, or it was deleted."""
    try:
        (found,) = aws.call("cloudformation", "describe_stacks", StackName=name)["Stacks"]
    except AwsError as error:
        if error.aws_code == "ValidationError" and "does not exist" in error.why:
            return None
        raise
    if found["StackStatus"] == "DELETE_COMPLETE":
        return None
    return StackState(
        found["StackId"],
        found["StackStatus"],
        found.get("StackStatusReason", ""),
        {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", ())},
        {each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", ())},
        bool(found.get("EnableTerminationProtection")),
        found.get("LastUpdatedTime") or found["CreationTime"],
        {"IN_SYNC": "none", "DRIFTED": "found"}.get(_drift_status(found), ""),
    )


def _drift_status(stack: Mapping[str, Any]) -> str:
    return str(stack.get("DriftInformation", {}).get("StackDriftStatus", ""))


def stack_outputs(aws: Aws, name: str) -> Mapping[str, str]:
    """Give a stack's outputs; none when there is no stack."""
    found = find_stack(aws, name)
    return {} if found is None else found.outputs


def deployed_template(aws: Aws, stack: str) -> dict[str, Any]:
    """Give the template that a stack was deployed with; all of ours are JSON."""
    body = aws.call("cloudformation", "get_template", StackName=stack)["TemplateBody"]
    document: dict[str, Any] = json.loads(body) if isinstance(body, str) else body
    return document


def create_change_set(
    aws: Aws,
    stack: str,
    template: Mapping[str, str],
    parameters: Mapping[str, str],
    *,
    is_new: bool,
    **options: Any,
) -> ChangeSet:
    """Make a change set and wait until it is ready; `template` is TemplateURL or TemplateBody."""
    made = aws.call(
        "cloudformation",
        "create_change_set",
        StackName=stack,
        ChangeSetName=f"cdcctl-{uuid.uuid4().hex[:12]}",
        ChangeSetType="CREATE" if is_new else "UPDATE",
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
        **template,
        **options,
    )
    return _ready(aws, made["Id"], made.get("StackId", stack))


def find_change_set(aws: Aws, change_set: str, stack_id: str) -> ChangeSet | None:
    """Give a change set that can still be carried out; None when it is gone or obsolete."""
    seen = _described(aws, change_set, stack_id)
    if seen is None or (
        seen["Status"] == "CREATE_COMPLETE" and seen["ExecutionStatus"] != "AVAILABLE"
    ):
        return None
    return _ready(aws, change_set, stack_id)


def is_executed(aws: Aws, change_set: str, stack_id: str) -> bool:
    """Tell whether AWS has begun to carry a change set out, or has done it."""
    seen = _described(aws, change_set, stack_id)
    return seen is not None and seen["ExecutionStatus"] in {
        "EXECUTE_IN_PROGRESS",
        "EXECUTE_COMPLETE",
    }


def _described(aws: Aws, change_set: str, stack_id: str) -> Mapping[str, Any] | None:
    """Give what AWS tells of a change set; None when it is gone."""
    try:
        return aws.call("cloudformation", "describe_change_set", **_place(change_set, stack_id))
    except AwsError as error:
        if error.aws_code in {"ChangeSetNotFound", "ChangeSetNotFoundException"} or (
            error.aws_code == "ValidationError" and "does not exist" in error.why
        ):
            return None
        raise


def _ready(aws: Aws, change_set: str, stack_id: str) -> ChangeSet:
    ends_at = time.monotonic() + 300
    while True:
        seen = aws.call("cloudformation", "describe_change_set", **_place(change_set, stack_id))
        status, reason = seen["Status"], seen.get("StatusReason", "")
        if status == "CREATE_COMPLETE":
            return ChangeSet(
                change_set, stack_id, tuple(_changes(aws, _place(change_set, stack_id)))
            )
        if status == "FAILED":
            if any(text in reason for text in _NOTHING):
                return ChangeSet(change_set, stack_id, (), is_empty=True)
            raise AwsError(
                "CFN010",
                "CloudFormation refuses the template",
                why=reason,
                fix="mend what it names, then deploy again",
                service="cloudformation",
                operation="create_change_set",
            )
        if time.monotonic() > ends_at:
            raise AwsError(
                "CFN011",
                "the change set is not ready after five minutes",
                why=f"its status is {status}",
                fix="run the same command again",
                service="cloudformation",
                operation="describe_change_set",
            )
        time.sleep(0.2)


def _place(change_set: str, stack_id: str) -> dict[str, str]:
    """Name a change set with its stack, which IAM narrows the right to."""
    return {"ChangeSetName": change_set, "StackName": stack_id}


def _changes(aws: Aws, place: Mapping[str, str]) -> Iterator[Change]:
    listed = aws.pages("cloudformation", "describe_change_set", "Changes", **place)
    for each in listed:
        change = each.get("ResourceChange", {})
        yield Change(
            change.get("Action", ""),
            change.get("LogicalResourceId", ""),
            change.get("ResourceType", ""),
            str(change.get("Replacement", "")),
        )


def execute_change_set(aws: Aws, change_set: ChangeSet) -> None:
    """Begin to carry out a change set, once: when an answer is lost, the SDK asks again."""
    place = _place(change_set.id, change_set.stack_id)
    token = change_set.id.rsplit("/", 1)[-1]
    try:
        aws.call("cloudformation", "execute_change_set", **place, ClientRequestToken=token)
    except AwsError as error:
        if error.aws_code != "InvalidChangeSetStatus" or not is_executed(
            aws, change_set.id, change_set.stack_id
        ):
            raise


def delete_change_set(aws: Aws, change_set: ChangeSet) -> None:
    """Remove a change set that is not carried out."""
    place = _place(change_set.id, change_set.stack_id)
    aws.call("cloudformation", "delete_change_set", **place)


def continue_rollback(aws: Aws, stack: str, skipped: Collection[str]) -> None:
    """Have the rollback of an update that stands go on; what is skipped stays as it is."""
    given = {"ResourcesToSkip": list(skipped)} if skipped else {}
    aws.call("cloudformation", "continue_update_rollback", StackName=stack, **given)


def delete_stack(aws: Aws, stack: str, **options: Any) -> None:
    """Begin to delete a stack."""
    aws.call("cloudformation", "delete_stack", StackName=stack, **options)


def events(aws: Aws, stack: str) -> list[StackEvent]:
    """Give every event of a stack, oldest first."""
    listed = aws.pages("cloudformation", "describe_stack_events", "StackEvents", StackName=stack)
    found = [
        StackEvent(
            each["EventId"],
            each["Timestamp"],
            each["LogicalResourceId"],
            each.get("ResourceType", ""),
            each.get("ResourceStatus", ""),
            each.get("ResourceStatusReason", ""),
        )
        for each in listed
    ]
    return found[::-1]


class EventFeed:
    """The events of a stack that were not given yet."""

    def __init__(self, aws: Aws, stack: str, known: Iterable[str] = ()) -> None:
        """Leave out events by their ids."""
        self._aws = aws
        self.stack = stack
        self._known = set(known)

    def unseen(self) -> list[StackEvent]:
        """Give what came since the last look, oldest first."""
        found = [each for each in events(self._aws, self.stack) if each.id not in self._known]
        self._known.update(each.id for each in found)
        return found


def resources(aws: Aws, stack: str) -> list[dict[str, Any]]:
    """Give every resource of a stack."""
    return list(
        aws.pages(
            "cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=stack
        )
    )
