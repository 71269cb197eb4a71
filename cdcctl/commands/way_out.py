"""Offers, on a terminal, the way out of a stack that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from cdcctl.ui import console, failure

if TYPE_CHECKING:
    from cdcctl.operations.stack_failure import StackFailure

_NEVER_MADE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED")


def is_taken(error: StackFailure, request: Any) -> bool:
    """Tell the failure and carry out what is chosen; tell whether to deploy again.

    Where there is nothing to offer, the failure is raised again for the command line to tell.
    """
    from cdcctl.operations.stack_failure import STANDING_ROLLBACK

    if not console.may_ask():
        raise error
    if error.status == STANDING_ROLLBACK:
        failure.show(error)
        if _goes_on(error, request):
            return typer.confirm("The old state runs. Deploy again now?", err=True)
    elif error.status in _NEVER_MADE and request.reviewed is None:
        failure.show(error)
        return typer.confirm(
            f"Is the cause mended: remove what is left of {error.stack}, and create it anew?",
            err=True,
        )
    else:
        raise error
    return False


def _goes_on(error: StackFailure, request: Any) -> bool:
    from cdcctl.operations.stack_repair import continue_rollback
    from cdcctl.ui.deploy_watch import open_deploy_watch

    if not typer.confirm(f"Continue the rollback of {error.stack} now?", err=True):
        return False
    skipped = _skipped(error.stuck)
    with open_deploy_watch(None) as watch:
        continue_rollback(request.target, error.stack, skipped, request.waiting, watch)
    return True


def _skipped(stuck: tuple[str, ...]) -> tuple[str, ...]:
    """Ask which of what could not be rolled back is left as it is."""
    return tuple(
        name
        for name in stuck
        if typer.confirm(f"Leave {name} as it is, because it cannot be mended?", err=True)
    )
