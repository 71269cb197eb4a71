"""Explains an operation on a stack that failed: the first cause, its line, and the way out."""

from __future__ import annotations

from dataclasses import dataclass

from cdcctl.aws import cloudformation as cfn
from cdcctl.aws.causes import hint_for
from cdcctl.compile.template import Rendered
from cdcctl.errors import CdcctlError
from cdcctl.operations.target import Target

_CANCELLED = ("cancelled", "The following resource(s) failed")
STANDING_ROLLBACK = "UPDATE_ROLLBACK_FAILED"
"""The rollback of an update did not end, and goes on only when it is told to."""


@dataclass(eq=False)
class StackFailure(CdcctlError):
    """A stack that an operation has left in a state to be got out of."""

    stack: str = ""
    status: str = ""
    stuck: tuple[str, ...] = ()
    """What could not be rolled back."""


def is_cause(event: cfn.StackEvent) -> bool:
    """Tell whether a resource has failed by itself, and not because another one did."""
    return event.status.endswith("_FAILED") and not any(text in event.reason for text in _CANCELLED)


def failure(
    target: Target,
    stack: str,
    final: cfn.StackState,
    before: set[str],
    rendered: Rendered | None = None,
) -> StackFailure:
    """Name the resource that failed first, AWS's reason, its line, and the way out."""
    failed = [
        event
        for event in cfn.events(target.aws, final.id)
        if event.id not in before and is_cause(event)
    ]
    first = next(iter(failed), None)
    line = rendered.line_of(first.logical_id) if first is not None and rendered else None
    why = (
        f"{first.logical_id} ({first.type}): {first.reason}" if first is not None else final.reason
    )
    hint = hint_for(why)
    again = f"cdcctl deploy --stack {target.stack}"
    stuck = _stuck(target, final)
    way_out = {
        "ROLLBACK_COMPLETE": f"{again}   removes the remains and creates the stack anew",
        "UPDATE_ROLLBACK_COMPLETE": f"{again}   when the cause is mended; the old state runs",
        STANDING_ROLLBACK: _continuation(stack, stuck),
    }.get(final.status, again)
    return StackFailure(
        "CFN020",
        f"the stack {stack} is {final.status}",
        why=why,
        fix=f"{hint}; then {way_out}" if hint else way_out,
        location=f"{rendered.file}:{line}" if line is not None and rendered else None,
        stack=stack,
        status=final.status,
        stuck=stuck,
    )


def refuse_unmendable(target: Target, stack: str, state: cfn.StackState | None) -> None:
    """Raise for the states that a deploy must not touch."""
    if state is None:
        return
    if state.status == STANDING_ROLLBACK:
        stuck = _stuck(target, state)
        raise StackFailure(
            "CFN021",
            f"the stack {stack} is {STANDING_ROLLBACK}",
            why=state.reason or "the rollback of an update did not end",
            fix=f"{_continuation(stack, stuck)}   then   cdcctl deploy --stack {target.stack}",
            stack=stack,
            status=state.status,
            stuck=stuck,
        )
    if state.status == "DELETE_FAILED":
        raise CdcctlError(
            "CFN022",
            f"the stack {stack} is DELETE_FAILED",
            why=state.reason or "its deletion did not end",
            fix=f"cdcctl teardown --stack {target.stack}   goes on with it",
        )


def _stuck(target: Target, state: cfn.StackState) -> tuple[str, ...]:
    """Name what a rollback could not take back: AWS skips nothing else."""
    if state.status != STANDING_ROLLBACK:
        return ()
    return tuple(
        each["LogicalResourceId"]
        for each in cfn.resources(target.aws, state.id)
        if each.get("ResourceStatus") == "UPDATE_FAILED"
    )


def _continuation(stack: str, stuck: tuple[str, ...]) -> str:
    command = f"aws cloudformation continue-update-rollback --stack-name {stack}"
    if not stuck:
        return command
    return f"{command}   (what cannot be mended: --resources-to-skip {' '.join(stuck)})"
