"""Replication slots of a source that is about to be left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdcctl.aws import functions
from cdcctl.errors import CdcctlError
from cdcctl.operations.run_control import StepReport
from cdcctl.operations.target import Target

if TYPE_CHECKING:
    from cdcctl.ui.progress import Progress


def drop_slots(target: Target, progress: Progress) -> StepReport:
    """Have sql-runner drop the slots that nobody reads; a source that does not answer keeps them.

    DMS drops its own slot when its task is deleted, if it reaches the source. One that stays in a
    snapshot holds the log of every database restored from it, until its disk is full.
    """
    progress.step("the replication slots")
    try:
        answer = functions.invoke(target.aws, target.names.sql_runner, {"action": "drop_slots"})
    except CdcctlError as error:
        why = error.why or error.what
        return StepReport("replication slots", "skipped", f"left to DMS: {why}")
    dropped = answer["dropped"]
    return StepReport("replication slots", "done" if dropped else "unchanged", ", ".join(dropped))
