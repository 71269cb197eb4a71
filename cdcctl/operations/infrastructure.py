"""Creates and updates the two stacks by change sets, and explains a failure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cdcctl.aws import cloudformation as cfn
from cdcctl.aws.errors import AwsError
from cdcctl.compile.template import Rendered, render_bootstrap
from cdcctl.errors import CdcctlError
from cdcctl.operations import run_control
from cdcctl.operations.deploy_choice import OnFailure
from cdcctl.operations.durations import Durations
from cdcctl.operations.package import Package
from cdcctl.operations.stack_clock import StackClock, TimedEvent
from cdcctl.operations.stack_failure import failure, refuse_unmendable
from cdcctl.operations.target import Target
from cdcctl.operations.waiting import Waiting

if TYPE_CHECKING:
    from cdcctl.ui.progress import Progress

STATEFUL = frozenset(
    (
        "AWS::RDS::DBInstance",
        "AWS::MSK::Cluster",
        "AWS::S3::Bucket",
        "AWS::KMS::Key",
        "AWS::DMS::ReplicationTask",
    )
)
"""Types whose replacement loses data or the place in the stream."""
KEPT = ("Profile", "AlertEmail", "AvailabilityZones", "DatabaseCa")
"""Parameters that stay as they are until the operator gives others."""
_ON_FAILURE = {
    OnFailure.rollback: "ROLLBACK",
    OnFailure.keep: "DO_NOTHING",
    OnFailure.delete: "DELETE",
}
_GONE_FIRST = frozenset(("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"))


def made_by(change_set: cfn.ChangeSet) -> list[str]:
    """Name what a change set makes, or may make anew."""
    return [each.logical_id for each in change_set.changes if each.action == "Add" or each.replaces]


@dataclass(frozen=True)
class InfraChange:
    """The change set of the pipeline's stack, and what it means."""

    change_set: cfn.ChangeSet
    is_new: bool

    @property
    def replaced(self) -> tuple[cfn.Change, ...]:
        """Give the stateful resources that would be, or may be, made anew."""
        return tuple(
            each for each in self.change_set.changes if each.replaces and each.type in STATEFUL
        )

    @property
    def touches_task(self) -> bool:
        """Tell whether DMS must stand while it is carried out."""
        return any(
            each.type == "AWS::DMS::ReplicationTask" and each.action != "Add"
            for each in self.change_set.changes
        )


Observe = Callable[[TimedEvent], None]


@dataclass(frozen=True)
class Following:
    """How an operation on a stack is waited for, who is told of it, and what it usually takes."""

    waiting: Waiting
    progress: Progress
    seen: Observe
    durations: Durations = field(default_factory=Durations)


@dataclass(frozen=True)
class StackOptions:
    """How CloudFormation is to work on both stacks; what is left out stays as it is."""

    tags: Mapping[str, str] = field(default_factory=dict)
    role_arn: str | None = None
    """The role that CloudFormation takes."""
    on_failure: OnFailure | None = None

    def of_change_set(self, *, is_new: bool) -> dict[str, Any]:
        """Give the arguments of CreateChangeSet."""
        given: dict[str, Any] = {}
        if self.tags:
            given["Tags"] = [{"Key": key, "Value": value} for key, value in self.tags.items()]
        if self.role_arn is not None:
            given["RoleARN"] = self.role_arn
        # Only a creation can end in the deletion of the stack.
        if self.on_failure is not None and (is_new or self.on_failure is not OnFailure.delete):
            given["OnStackFailure"] = _ON_FAILURE[self.on_failure]
        return given


def ensure_bootstrap(target: Target, following: Following, options: StackOptions) -> bool:
    """Make or update the stack of the assets bucket; tell whether something changed."""
    name = target.names.bootstrap_stack
    state = attached(target, name, following)
    if state is not None and state.status in _GONE_FIRST:
        remove_remains(target, name, following)
        state = None
    refuse_unmendable(target, name, state)
    held = state.parameters.get("CreateDmsVpcRole") if state is not None else None
    rendered = render_bootstrap()
    following.progress.step("the assets bucket")
    is_new = is_to_be_created(state)
    change_set = cfn.create_change_set(
        target.aws,
        name,
        {"TemplateBody": rendered.body},
        {
            "PipelineStack": target.stack,
            "CreateDmsVpcRole": held or ("false" if _has_dms_role(target) else "true"),
        },
        is_new=is_new,
        Capabilities=["CAPABILITY_NAMED_IAM"],
        **options.of_change_set(is_new=is_new),
    )
    if change_set.is_empty:
        cfn.delete_change_set(target.aws, change_set)
        return False
    carry_out(target, name, change_set, rendered, following)
    return True


def wanted_parameters(state: cfn.StackState | None, given: Mapping[str, str]) -> dict[str, str]:
    """Give the parameters of an update: those that were given, and those that stay."""
    held = state.parameters if state is not None else {}
    return {**{name: held[name] for name in KEPT if name in held}, **given}


def prepare(
    target: Target,
    package: Package,
    parameters: Mapping[str, str],
    following: Following,
    options: StackOptions,
) -> InfraChange:
    """Make the change set of the pipeline's stack; a stack whose creation failed goes first."""
    state = cfn.find_stack(target.aws, target.stack)
    if state is not None and state.status in _GONE_FIRST:
        remove_remains(target, target.stack, following)
        state = None
    refuse_unmendable(target, target.stack, state)
    bucket = target.names.assets_bucket
    is_new = is_to_be_created(state)
    change_set = cfn.create_change_set(
        target.aws,
        target.stack,
        {
            "TemplateURL": f"https://{bucket}.s3.{target.aws.region}.amazonaws.com"
            f"/{package.template_key}"
        },
        {
            **wanted_parameters(state, parameters),
            "AssetsBucket": bucket,
            "CodeHash": package.code_hash,
            "ConfigHash": package.config_hash,
        },
        is_new=is_new,
        Capabilities=["CAPABILITY_IAM"],
        **options.of_change_set(is_new=is_new),
    )
    return InfraChange(change_set, is_new)


def likely_minutes(
    change: InfraChange, rendered: Rendered, durations: Durations
) -> tuple[int, int] | None:
    """Say between how many minutes a change is likely to take; None where it takes seconds."""
    clock = StackClock(rendered.document["Resources"], made_by(change.change_set), durations)
    return clock.reading(datetime.now(UTC)).minutes_left


def discard(change: InfraChange, target: Target) -> None:
    """Remove a change set that is not carried out, and the stack that was there for it alone."""
    cfn.delete_change_set(target.aws, change.change_set)
    if change.is_new:
        # A stack that only reviews would stand in the way of its own creation.
        cfn.delete_stack(target.aws, target.stack)


def apply(
    change: InfraChange,
    target: Target,
    rendered: Rendered,
    following: Following,
) -> bool:
    """Carry a change set out, DMS standing meanwhile if it must; tell whether something changed."""
    if change.change_set.is_empty:
        cfn.delete_change_set(target.aws, change.change_set)
        return False
    waiting, progress = following.waiting, following.progress
    stopped = False
    if change.touches_task:
        stopped = run_control.stop_dms(target, waiting, progress).status == "done"
    try:
        carry_out(target, target.stack, change.change_set, rendered, following)
    finally:
        if stopped:
            run_control.start_dms(target, waiting, progress)
    return True


def carry_out(
    target: Target,
    stack: str,
    change_set: cfn.ChangeSet,
    rendered: Rendered,
    following: Following,
) -> None:
    """Execute a change set and follow it to its end; raise with the first cause of a failure."""
    before = known_events(target, change_set.stack_id, following.waiting)
    cfn.execute_change_set(target.aws, change_set)
    following.progress.step(f"stack {stack}: {len(change_set.changes)} changes")
    made = made_by(change_set)
    clock = StackClock(rendered.document["Resources"], made, following.durations)
    total = len(change_set.changes)
    feed = cfn.EventFeed(target.aws, change_set.stack_id, before)
    final = followed(target, feed, clock, total, following)
    if final.status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        raise failure(target, stack, final, before, rendered)


def known_events(target: Target, stack: str, waiting: Waiting) -> set[str]:
    """Name the events of what a stack has been through already."""
    found = waiting.until(
        lambda: cfn.events(target.aws, stack),
        lambda _: True,
        what=f"the events of {stack}",
        again=f"cdcctl deploy --stack {target.stack}",
    )
    return {event.id for event in found}


def attached(target: Target, stack: str, following: Following) -> cfn.StackState | None:
    """Wait for an operation that is in progress already; give the stack as it is then."""
    state = cfn.find_stack(target.aws, stack)
    if state is None or not state.is_moving:
        return state
    following.progress.step(f"stack {stack} is {state.status}: attached to it")
    feed = cfn.EventFeed(target.aws, state.id)
    followed(target, feed, StackClock(durations=following.durations), None, following)
    return cfn.find_stack(target.aws, stack)


def followed(
    target: Target,
    feed: cfn.EventFeed,
    clock: StackClock,
    total: int | None,
    following: Following,
) -> cfn.StackState:
    """Tell an operation's events to its end, and give the stack as it is then."""
    final = _told(
        target,
        feed,
        clock,
        total,
        following,
        lambda state: not (state.is_moving or state.status == cfn.REVIEWED),
    )
    if final is None:
        raise CdcctlError(
            "CFN012",
            f"the stack {target.stack} is gone",
            why="somebody deleted it meanwhile",
            fix=f"cdcctl deploy --stack {target.stack}",
        )
    return final


def _told(
    target: Target,
    feed: cfn.EventFeed,
    clock: StackClock,
    total: int | None,
    following: Following,
    has_ended: Callable[[cfn.StackState], bool],
) -> cfn.StackState | None:
    """Tell events until a stack that has begun has ended, or is gone."""
    progress = following.progress
    done: set[str] = set()
    has_begun = False

    def tell() -> None:
        nonlocal has_begun
        for event in feed.unseen():
            has_begun = True
            if event.status.endswith("_COMPLETE"):
                done.add(event.logical_id)
            following.seen(clock.see(event))
        progress.note(clock.reading(datetime.now(UTC)))
        progress.advance(min(len(done), total or len(done)), total)

    def look() -> cfn.StackState | None:
        tell()
        return cfn.find_stack(target.aws, feed.stack)

    final = following.waiting.until(
        look,
        lambda state: state is None or (has_begun and has_ended(state)),
        what=f"the operation on {target.stack}",
        again=f"cdcctl deploy --stack {target.stack}   attaches to it",
    )
    # The last events came after the last look at them; without them the end is known all the same.
    with suppress(AwsError):
        tell()
    return final


def is_to_be_created(state: cfn.StackState | None) -> bool:
    """Tell whether there is no stack yet, or only a place for one."""
    return state is None or state.status == cfn.REVIEWED


def refuse_remains(target: Target) -> None:
    """Raise where a change set is possible only after the remains of a failed creation are gone."""
    state = cfn.find_stack(target.aws, target.stack)
    if state is not None and state.status in _GONE_FIRST:
        raise CdcctlError(
            "CFN024",
            f"the stack {target.stack} is {state.status}: there is nothing to compare with",
            why=state.reason or "its creation failed",
            fix=f"cdcctl deploy --stack {target.stack}   removes the remains and creates it anew",
        )


def remove_remains(target: Target, stack: str, following: Following) -> None:
    """Delete a stack whose creation failed: nothing of it can be updated."""
    state = cfn.find_stack(target.aws, stack)
    if state is None:
        return
    before = known_events(target, state.id, following.waiting)
    cfn.delete_stack(target.aws, state.id)
    following.progress.step(f"stack {stack}: what its failed creation has left is removed")
    feed = cfn.EventFeed(target.aws, state.id, before)
    left = _told(
        target,
        feed,
        StackClock(),
        None,
        following,
        lambda state: state.status == "DELETE_FAILED",
    )
    refuse_unmendable(target, stack, left)


def _has_dms_role(target: Target) -> bool:
    try:
        target.aws.call("iam", "get_role", RoleName="dms-vpc-role")
    except AwsError as error:
        if error.aws_code == "NoSuchEntity":
            return False
        raise
    return True


def as_document(change: InfraChange) -> list[dict[str, Any]]:
    """Give the changes as plain data."""
    return [
        {
            "action": each.action,
            "id": each.logical_id,
            "type": each.type,
            "replacement": each.replacement,
            "stateful": each.type in STATEFUL,
        }
        for each in change.change_set.changes
    ]
