"""Deletes a stack: what stands in its way goes first, and what cannot go is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdcctl.aws import cloudformation as cfn
from cdcctl.aws import network
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.run_control import StepReport
from cdcctl.operations.target import Target
from cdcctl.operations.teardown_keep import Keeping, retained
from cdcctl.operations.waiting import Waiting

if TYPE_CHECKING:
    from cdcctl.ui.progress import Progress

_ATTEMPTS = 3


@dataclass(frozen=True)
class Stuck:
    """A resource that AWS does not delete."""

    logical_id: str
    type: str
    physical_id: str
    reason: str

    def __str__(self) -> str:
        """Name it for the operator, who has to find it."""
        return f"{self.logical_id} ({self.type}) {self.physical_id}"


@dataclass(frozen=True)
class Deletion:
    """How the stacks of a pipeline are to be deleted, and who is told."""

    target: Target
    keeping: Keeping
    waiting: Waiting
    progress: Progress
    seen: Callable[[cfn.StackEvent], None]
    abandoned: Sequence[str] = ()
    """Logical ids of what may be left behind when AWS does not delete it."""


def delete(
    deletion: Deletion, stack: str, clear: Callable[[], None]
) -> tuple[StepReport, tuple[Stuck, ...]]:
    """Delete a stack, several times if need be, and give what it has left behind by leave.

    `clear` removes what has come meanwhile and stands in the way.
    """
    target, step = deletion.target, f"stack {stack}"
    state = cfn.find_stack(target.aws, stack)
    if state is None:
        return StepReport(step, "unchanged", "it is gone"), ()
    # The id finds a stack also after it is deleted.
    stack_id = state.id
    groups = _security_groups(target, stack_id)
    left: dict[str, Stuck] = {}
    for attempt in range(1, _ATTEMPTS + 1):
        if state.status != "DELETE_IN_PROGRESS":
            stays: list[str] = []
            if state.status == "DELETE_FAILED":
                left |= _left_behind(deletion, stack_id)
                stays = sorted({*retained(target, stack_id, deletion.keeping), *left})
            cfn.delete_stack(target.aws, stack_id, **({"RetainResources": stays} if stays else {}))
        again = f", attempt {attempt}" if attempt > 1 else ""
        deletion.progress.step(f"deleting {stack}{again}")
        final = _awaited(deletion, stack_id, groups)
        if final is None:
            return StepReport(step, "done", "deleted"), tuple(left.values())
        clear()
        state = final
    raise _failure(deletion, stack, stack_id)


def _left_behind(deletion: Deletion, stack_id: str) -> dict[str, Stuck]:
    found = stuck(deletion.target, stack_id)
    return {each.logical_id: each for each in found if each.logical_id in deletion.abandoned}


def stuck(target: Target, stack_id: str) -> tuple[Stuck, ...]:
    """Give the resources whose deletion has failed, with what AWS said last of each."""
    failed = [e for e in cfn.events(target.aws, stack_id) if e.status == "DELETE_FAILED"]
    reasons = {event.logical_id: event.reason for event in failed}
    return tuple(
        Stuck(
            each["LogicalResourceId"],
            each["ResourceType"],
            each.get("PhysicalResourceId", ""),
            reasons.get(each["LogicalResourceId"], ""),
        )
        for each in cfn.resources(target.aws, stack_id)
        if each.get("ResourceStatus") == "DELETE_FAILED"
    )


def _awaited(deletion: Deletion, stack_id: str, groups: list[str]) -> cfn.StackState | None:
    target = deletion.target
    feed = cfn.EventFeed(target.aws, stack_id)
    feed.unseen()

    def look() -> cfn.StackState | None:
        for event in feed.unseen():
            deletion.seen(event)
        for interface in network.leftover_interfaces(target.aws, groups):
            network.delete_interface(target.aws, interface)
        return cfn.find_stack(target.aws, stack_id)

    return deletion.waiting.until(
        look,
        lambda state: state is None or state.status == "DELETE_FAILED",
        what=f"the deletion of {target.stack}",
        again=f"cdcctl teardown --stack {target.stack}   goes on with it",
    )


def _failure(deletion: Deletion, stack: str, stack_id: str) -> CdcctlError:
    """Name what stands in the way, and the way past it: what is left behind bills on."""
    found = stuck(deletion.target, stack_id)
    again = f"cdcctl teardown --stack {deletion.target.stack}"
    leave = "".join(f" --abandon {each.logical_id}" for each in found)
    way_past = f"; or {again}{leave}   leaves it behind, where it bills on" if found else ""
    return CdcctlError(
        "TDN003",
        f"the stack {stack} cannot be deleted",
        why="; ".join(f"{each}: {each.reason}" for each in found) or "AWS does not say",
        fix=f"mend what it names, then {again}   goes on{way_past}",
        exit_code=ExitCode.PARTIAL,
    )


def _security_groups(target: Target, stack_id: str) -> list[str]:
    return [
        each["PhysicalResourceId"]
        for each in cfn.resources(target.aws, stack_id)
        if each["ResourceType"] == "AWS::EC2::SecurityGroup" and each.get("PhysicalResourceId")
    ]
