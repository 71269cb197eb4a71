"""Removes a pipeline: what is begun is gone on with, and success means that nothing is left."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdcctl.aws import cloudformation as cfn
from cdcctl.aws import network, s3
from cdcctl.aws.errors import AwsError
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations import run_control
from cdcctl.operations.inventory import Inventory, take_inventory
from cdcctl.operations.leftovers import find_leftovers, log_groups, remove
from cdcctl.operations.run_control import StepReport
from cdcctl.operations.target import Target, TargetChoice, open_target
from cdcctl.operations.teardown_choice import Retain
from cdcctl.operations.teardown_keep import Keeping, keep, retained
from cdcctl.operations.waiting import Waiting

if TYPE_CHECKING:
    from cdcctl.ui.progress import Progress

_ATTEMPTS = 3


@dataclass(frozen=True)
class TeardownRequest:
    """What to remove."""

    target: TargetChoice
    retain: Retain
    disable_protection: bool = False
    dry_run: bool = False
    timeout_seconds: float = 5400.0
    final_snapshot: bool | None = None
    """Whether the database leaves one; when nobody says, unless nothing at all is to stay."""
    is_protected: bool = False
    """cdcctl.toml says `protected = true`."""

    @property
    def waiting(self) -> Waiting:
        """Give how long each wait may take."""
        return Waiting(self.timeout_seconds)

    @property
    def leaves_snapshot(self) -> bool:
        """Tell whether the database leaves a snapshot."""
        if self.final_snapshot is None:
            return self.retain is not Retain.none
        return self.final_snapshot


@dataclass(frozen=True)
class TeardownReport:
    """What was there, what each step did, and what is left."""

    before: Inventory
    steps: tuple[StepReport, ...]
    kept: tuple[str, ...]
    left: tuple[str, ...]
    """What should be gone and is not."""


Agree = Callable[[Inventory, tuple[str, ...]], None]


def teardown(
    request: TeardownRequest,
    agree: Agree,
    progress: Progress,
    seen: Callable[[cfn.StackEvent], None],
) -> TeardownReport:
    """Remove a stack; `agree` is shown the inventory and raises when the operator refuses."""
    if request.is_protected and not (request.dry_run or request.disable_protection):
        raise CdcctlError(
            "TDN005",
            f"nothing was removed: the stack {request.target.stack} is protected",
            why="cdcctl.toml says `protected = true` for it",
            fix=f"cdcctl teardown --stack {request.target.stack} --disable-protection",
            exit_code=ExitCode.CONFIRM,
        )
    target = open_target(request.target)
    progress.step("the inventory")
    before = take_inventory(target)
    keeping = Keeping(kept_buckets(target, request.retain, before), request.leaves_snapshot)
    kept = keeping.buckets
    takes_snapshots = request.retain is Retain.none and not request.leaves_snapshot
    stays = (
        *kept,
        *(_snapshots(before) if keeping.final_snapshot else ()),
        *(
            str(each)
            for each in before.leftovers
            if each.kind == "snapshot" and not takes_snapshots
        ),
    )
    if before.is_empty or request.dry_run:
        return TeardownReport(before, (), stays, ())
    if before.is_protected and not request.disable_protection:
        raise CdcctlError(
            "TDN002",
            f"the stack {target.stack} is protected against termination",
            why="somebody has turned termination protection on",
            fix=f"cdcctl teardown --stack {target.stack} --disable-protection",
            exit_code=ExitCode.CONFIRM,
        )
    agree(before, stays)
    waiting = request.waiting
    steps = _stopped(target, waiting, progress)
    for name in before.stacks:
        if before.is_protected:
            target.aws.call(
                "cloudformation",
                "update_termination_protection",
                StackName=name,
                EnableTerminationProtection=False,
            )
    if target.stack in before.stacks:
        _unprotect_database(target)
        keep(target, target.stack, keeping, waiting, progress, seen)
        _empty(target, kept, progress)
        steps.append(_delete(target, target.stack, keeping, waiting, progress, seen))
    if target.names.bootstrap_stack in before.stacks:
        keep(target, target.names.bootstrap_stack, keeping, waiting, progress, seen)
        _empty(target, kept, progress)
        steps.append(
            _delete(target, target.names.bootstrap_stack, keeping, waiting, progress, seen)
        )
    steps.append(_sweep(target, kept, progress, takes_snapshots=takes_snapshots))
    left = remaining(target, kept, takes_snapshots=takes_snapshots)
    return TeardownReport(before, tuple(steps), stays, left)


def _stopped(target: Target, waiting: Waiting, progress: Progress) -> list[StepReport]:
    """Stop the job and DMS at the same time: each takes minutes."""
    stops = (run_control.stop_glue, run_control.stop_dms)
    with ThreadPoolExecutor(max_workers=len(stops)) as pool:
        begun = [pool.submit(stop, target, waiting, progress) for stop in stops]
    return [each.result() for each in begun]


def kept_buckets(target: Target, retain: Retain, before: Inventory) -> tuple[str, ...]:
    """Name the buckets that stay."""
    names = target.names
    wanted = {
        Retain.data: {names.delta_bucket, names.quarantine_bucket},
        Retain.quarantine: {names.quarantine_bucket},
        Retain.all: set(target.names.buckets),
        Retain.none: set(),
    }[retain]
    return tuple(each.name for each in before.buckets if each.name in wanted)


def _snapshots(before: Inventory) -> tuple[str, ...]:
    return tuple(f"a last snapshot of {name}, and its key" for name in before.databases if name)


def remaining(target: Target, kept: tuple[str, ...], *, takes_snapshots: bool) -> tuple[str, ...]:
    """Name what is there although it should be gone."""
    after = take_inventory(target)
    return (
        *(f"stack {name}" for name in after.stacks),
        *(f"bucket {each.name}" for each in after.buckets if each.name not in kept),
        *(f"log group {name}" for name in after.log_groups),
        *(str(each) for each in after.leftovers if each.kind != "snapshot" or takes_snapshots),
    )


def _unprotect_database(target: Target) -> None:
    """Take deletion protection off: a prod stack's database has it, and the operator agreed."""
    outputs = cfn.stack_outputs(target.aws, target.stack)
    identifier = outputs.get("DbInstanceIdentifier")
    if identifier is None:
        return
    try:
        (found,) = target.aws.call("rds", "describe_db_instances", DBInstanceIdentifier=identifier)[
            "DBInstances"
        ]
    except AwsError as error:
        if error.aws_code in {"DBInstanceNotFound", "DBInstanceNotFoundFault"}:
            return
        raise
    if found.get("DeletionProtection"):
        target.aws.call(
            "rds",
            "modify_db_instance",
            DBInstanceIdentifier=identifier,
            DeletionProtection=False,
            ApplyImmediately=True,
        )


def _empty(target: Target, kept: tuple[str, ...], progress: Progress) -> None:
    is_last = cfn.find_stack(target.aws, target.stack) is None
    for bucket in target.names.buckets:
        if bucket in kept or not s3.has_bucket(target.aws, bucket):
            continue
        if bucket == target.names.assets_bucket and not is_last:
            # The stack's Lambdas and job still point at it.
            continue
        progress.step(f"emptying {bucket}")
        s3.empty_bucket(target.aws, bucket, progress.advance)


def _delete(
    target: Target,
    stack: str,
    keeping: Keeping,
    waiting: Waiting,
    progress: Progress,
    seen: Callable[[cfn.StackEvent], None],
) -> StepReport:
    """Delete a stack; what stands in its way is removed, and the deletion is tried again."""
    state = cfn.find_stack(target.aws, stack)
    if state is None:
        return StepReport(f"stack {stack}", "unchanged", "it is gone")
    # The id finds a stack also after it is deleted.
    stack_id = state.id
    groups = _security_groups(target, stack_id)
    for attempt in range(1, _ATTEMPTS + 1):
        if state.status != "DELETE_IN_PROGRESS":
            has_failed = state.status == "DELETE_FAILED"
            stays = retained(target, stack_id, keeping) if has_failed else []
            cfn.delete_stack(target.aws, stack_id, **({"RetainResources": stays} if stays else {}))
        progress.step(f"deleting {stack}" + (f", attempt {attempt}" if attempt > 1 else ""))
        final = _deleted(target, stack_id, groups, waiting, seen)
        if final is None:
            return StepReport(f"stack {stack}", "done", "deleted")
        _empty(target, keeping.buckets, progress)
        state = final
    raise _stuck(target, stack, stack_id)


def _deleted(
    target: Target,
    stack_id: str,
    groups: list[str],
    waiting: Waiting,
    seen: Callable[[cfn.StackEvent], None],
) -> cfn.StackState | None:
    feed = cfn.EventFeed(target.aws, stack_id)
    feed.unseen()

    def look() -> cfn.StackState | None:
        for event in feed.unseen():
            seen(event)
        for interface in network.leftover_interfaces(target.aws, groups):
            network.delete_interface(target.aws, interface)
        return cfn.find_stack(target.aws, stack_id)

    return waiting.until(
        look,
        lambda state: state is None or state.status == "DELETE_FAILED",
        what=f"the deletion of {target.stack}",
        again=f"cdcctl teardown --stack {target.stack}   goes on with it",
    )


def _stuck(target: Target, stack: str, stack_id: str) -> CdcctlError:
    failed = [e for e in cfn.events(target.aws, stack_id) if e.status == "DELETE_FAILED"]
    named = {event.logical_id: event.reason for event in failed if event.reason}
    return CdcctlError(
        "TDN003",
        f"the stack {stack} cannot be deleted",
        why="; ".join(f"{name}: {reason}" for name, reason in named.items()) or "AWS does not say",
        fix=f"mend what it names, then cdcctl teardown --stack {target.stack}   goes on",
        exit_code=ExitCode.PARTIAL,
    )


def _security_groups(target: Target, stack_id: str) -> list[str]:
    return [
        each["PhysicalResourceId"]
        for each in cfn.resources(target.aws, stack_id)
        if each["ResourceType"] == "AWS::EC2::SecurityGroup" and each.get("PhysicalResourceId")
    ]


def _sweep(
    target: Target, kept: tuple[str, ...], progress: Progress, *, takes_snapshots: bool
) -> StepReport:
    """Remove what services made or kept beside the stack, and buckets that a stack left."""
    progress.step("what is left beside the stacks")
    gone = 0
    for group in log_groups(target):
        target.aws.call("logs", "delete_log_group", logGroupName=group)
        gone += 1
    for leftover in find_leftovers(target):
        if leftover.is_removable and (leftover.kind != "snapshot" or takes_snapshots):
            remove(target, leftover)
            gone += 1
    for bucket in target.names.buckets:
        if bucket not in kept and s3.has_bucket(target.aws, bucket):
            s3.empty_bucket(target.aws, bucket)
            target.aws.call("s3", "delete_bucket", Bucket=bucket)
            gone += 1
    return StepReport("sweep", "done" if gone else "unchanged", f"{gone} removed" if gone else "")
