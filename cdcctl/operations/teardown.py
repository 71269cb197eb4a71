"""Removes a pipeline: what is begun is gone on with, and success means that nothing is left."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdcctl.aws import cloudformation as cfn
from cdcctl.aws import rds, s3
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations import run_control
from cdcctl.operations.cost.estimate import Estimate, Item, estimate
from cdcctl.operations.inventory import Inventory, take_inventory
from cdcctl.operations.leftovers import find_leftovers, log_groups, remove
from cdcctl.operations.run_control import StepReport
from cdcctl.operations.slots import drop_slots
from cdcctl.operations.target import Target, TargetChoice, open_target
from cdcctl.operations.teardown_choice import Retain
from cdcctl.operations.teardown_deletion import Deletion, delete
from cdcctl.operations.teardown_keep import Keeping, keep
from cdcctl.operations.waiting import Waiting

if TYPE_CHECKING:
    from cdcctl.ui.progress import Progress


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
    abandoned: tuple[str, ...] = ()
    """Logical ids of what may be left behind when AWS does not delete it."""

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
class Stays:
    """What is there after a teardown, because the operator wants it, and what that costs."""

    names: tuple[str, ...]
    cost: Estimate


@dataclass(frozen=True)
class TeardownReport:
    """What was there, what each step did, and what is left."""

    before: Inventory
    steps: tuple[StepReport, ...]
    stays: Stays
    left: tuple[str, ...]
    """What should be gone and is not."""


Agree = Callable[[Inventory, Stays], None]


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
    stays = _stays(before, keeping, takes_snapshots=takes_snapshots)
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
    deletion = Deletion(target, keeping, request.waiting, progress, seen, request.abandoned)
    steps = _stopped(target, request.waiting, progress)
    if before.is_protected:
        _unprotect_stacks(target, before)
    removed, left = _remove_stacks(deletion, before)
    steps += [*removed, _sweep(target, kept, progress, takes_snapshots=takes_snapshots)]
    found = remaining(target, kept, takes_snapshots=takes_snapshots)
    return TeardownReport(before, tuple(steps), stays, (*left, *found))


def _remove_stacks(
    deletion: Deletion, before: Inventory
) -> tuple[list[StepReport], tuple[str, ...]]:
    """Delete both stacks, that of the assets bucket last; give what is left behind by leave."""
    target, keeping, progress = deletion.target, deletion.keeping, deletion.progress
    steps: list[StepReport] = []
    left: list[str] = []
    for stack in before.stacks:
        is_main = stack == target.stack
        if is_main:
            _unprotect_database(target)
        keep(target, stack, keeping, deletion.waiting, progress, deletion.seen)
        if is_main and keeping.final_snapshot:
            # Without a snapshot the slots go with their database.
            steps.append(drop_slots(target, progress))
        if is_main:
            _stop_logging(target, keeping.buckets)
        _empty(target, keeping.buckets, progress)
        step, behind = delete(deletion, stack, lambda: _empty(target, keeping.buckets, progress))
        steps.append(step)
        left += map(str, behind)
    return steps, tuple(left)


def _unprotect_stacks(target: Target, before: Inventory) -> None:
    for stack in before.stacks:
        target.aws.call(
            "cloudformation",
            "update_termination_protection",
            StackName=stack,
            EnableTerminationProtection=False,
        )


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


def _stays(before: Inventory, keeping: Keeping, *, takes_snapshots: bool) -> Stays:
    """Name what stays and estimate what it bills for; a snapshot is no larger than its disk."""
    databases = before.databases if keeping.final_snapshot else ()
    backups = [each for each in before.leftovers if each.is_backup and not takes_snapshots]
    held = sum(each.size_bytes for each in before.buckets if each.name in keeping.buckets)
    gigabytes = sum(each.gigabytes for each in databases) + sum(e.gigabytes for e in backups)
    names = (
        *keeping.buckets,
        *(f"a last snapshot of {each.name}" for each in databases),
        *map(str, backups),
    )
    cost = estimate(
        (
            Item("buckets", "S3 storage GB", held / 1024**3),
            Item("snapshots", "RDS snapshot GB", gigabytes),
            Item("keys", "key", 1 if keeping.buckets or databases else 0),
        )
    )
    return Stays(names, cost)


def remaining(target: Target, kept: tuple[str, ...], *, takes_snapshots: bool) -> tuple[str, ...]:
    """Name what is there although it should be gone."""
    stacks = [
        name
        for name in (target.stack, target.names.bootstrap_stack)
        if cfn.find_stack(target.aws, name) is not None
    ]
    buckets = [name for name in target.names.buckets if name not in kept]
    leftovers = find_leftovers(target, is_stack_there=target.stack in stacks)
    return (
        *(f"stack {name}" for name in stacks),
        *(f"bucket {name}" for name in buckets if s3.has_bucket(target.aws, name)),
        *(f"log group {name}" for name in log_groups(target)),
        *(str(each) for each in leftovers if takes_snapshots or not each.is_backup),
    )


def _unprotect_database(target: Target) -> None:
    """Take deletion protection off: a prod stack's database has it, and the operator agreed."""
    outputs = cfn.stack_outputs(target.aws, target.stack)
    identifier = outputs.get("DbInstanceIdentifier")
    if identifier is None:
        return
    found = rds.find_instance(target.aws, identifier)
    if found is not None and found.get("DeletionProtection"):
        target.aws.call(
            "rds",
            "modify_db_instance",
            DBInstanceIdentifier=identifier,
            DeletionProtection=False,
            ApplyImmediately=True,
        )


def _stop_logging(target: Target, kept: tuple[str, ...]) -> None:
    """Have S3 write no more access logs: they would fill a bucket again that is to go."""
    if target.names.access_logs_bucket in kept:
        return
    for bucket in target.names.buckets:
        if s3.has_bucket(target.aws, bucket):
            s3.stop_logging(target.aws, bucket)


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


def _sweep(
    target: Target, kept: tuple[str, ...], progress: Progress, *, takes_snapshots: bool
) -> StepReport:
    """Remove what services made or kept beside the stack, and buckets that a stack left."""
    progress.step("what is left beside the stacks")
    gone = 0
    for group in log_groups(target):
        target.aws.call("logs", "delete_log_group", logGroupName=group)
        gone += 1
    for leftover in find_leftovers(target, is_stack_there=False):
        if takes_snapshots or not leftover.is_backup:
            remove(target, leftover)
            gone += 1
    for bucket in target.names.buckets:
        if bucket not in kept and s3.has_bucket(target.aws, bucket):
            s3.empty_bucket(target.aws, bucket)
            target.aws.call("s3", "delete_bucket", Bucket=bucket)
            gone += 1
    return StepReport("sweep", "done" if gone else "unchanged", f"{gone} removed" if gone else "")
