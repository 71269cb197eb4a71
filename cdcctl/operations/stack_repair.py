"""Goes on with the rollback of an update that stands."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from cdcctl.aws import cloudformation as cfn
from cdcctl.operations.deploy_phases import DeployHeading
from cdcctl.operations.infrastructure import Following, followed, known_events
from cdcctl.operations.sign_in import signed_in
from cdcctl.operations.stack_clock import StackClock
from cdcctl.operations.stack_failure import failure
from cdcctl.operations.target import TargetChoice, open_target
from cdcctl.operations.waiting import Waiting

if TYPE_CHECKING:
    from cdcctl.ui.deploy_watch import DeployWatch

_PHASE = "rollback"


def continue_rollback(
    choice: TargetChoice,
    stack: str,
    skipped: Collection[str],
    waiting: Waiting,
    watch: DeployWatch,
) -> None:
    """Have a stack's rollback go on to its end; what is skipped stays as it is."""
    target = open_target(choice)
    waiting = replace(waiting, sign_in=lambda: signed_in(target.aws, watch))
    watch.begin(DeployHeading(stack, target.aws.account, target.aws.region, (_PHASE,)))
    watch.phase(_PHASE)
    before = known_events(target, stack, waiting)
    cfn.continue_rollback(target.aws, stack, skipped)
    watch.step(f"stack {stack}: the rollback goes on")
    feed = cfn.EventFeed(target.aws, stack, before)
    final = followed(target, feed, StackClock(), None, Following(waiting, watch, watch.resource))
    if final.status != "UPDATE_ROLLBACK_COMPLETE":
        raise failure(target, stack, final, before)
