"""Starts and stops DMS and the job: looks first, acts only if needed, and makes sure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cdcctl.aws import dms, glue
from cdcctl.aws.cloudformation import StackState, find_stack
from cdcctl.aws.errors import AwsError
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.mailbox import BucketMailbox
from cdcctl.operations.target import Target
from cdcctl.operations.waiting import Waiting

if TYPE_CHECKING:
    from cdcctl.ui.progress import Progress

_DRAIN_SECONDS = 180.0
"""A batch takes seconds; the job looks for the wish every five."""
_FREED_SECONDS = 300.0


@dataclass(frozen=True)
class StepReport:
    """What one step found or did; `status` is done, begun, unchanged or skipped."""

    step: str
    status: str
    detail: str = ""

    def as_document(self) -> dict[str, str]:
        """Give the step as plain data."""
        return {"step": self.step, "status": self.status, "detail": self.detail}


def start_dms(target: Target, waiting: Waiting, progress: Progress) -> StepReport:
    """Test both endpoints and start the task: from the load the first time, else from its stop."""
    task = _settled(target, waiting)
    if task.status in dms.RUNNING:
        return StepReport("start dms", "unchanged", "it runs")
    for name, endpoint in (("source", task.source), ("target", task.target)):
        progress.step(f"testing the {name} endpoint")
        _test(target, task, name, endpoint, waiting)
    progress.step("starting DMS")
    how = "resumed" if task.was_started else "started with a full load"
    dms.start_task(target.aws, task)
    seen = waiting.until(
        lambda: require_task(target),
        lambda seen: seen.status in dms.SETTLED,
        what="the start of DMS",
        again=f"cdcctl start dms --stack {target.stack}",
    )
    if seen.status not in dms.RUNNING:
        raise CdcctlError(
            "DMS004",
            f"replication task {target.names.replication_task} did not start",
            why=seen.failure or f"its status is {seen.status}",
            fix=f"cdcctl logs dms --stack {target.stack}",
        )
    return StepReport("start dms", "done", how)


def _test(target: Target, task: dms.Task, name: str, endpoint: str, waiting: Waiting) -> None:
    state, _ = dms.test_result(target.aws, task, endpoint)
    if state != "successful":
        dms.begin_test(target.aws, task, endpoint)
    state, why = waiting.until(
        lambda: dms.test_result(target.aws, task, endpoint),
        lambda seen: seen[0] in {"successful", "failed"},
        what=f"the test of the {name} endpoint",
        again=f"cdcctl start dms --stack {target.stack}",
    )
    if state == "failed":
        raise CdcctlError(
            "DMS005",
            f"DMS does not reach its {name} endpoint",
            why=why or "the connection test failed",
            fix=f"cdcctl deploy --stack {target.stack} --only infra   then   cdcctl start dms",
        )


def stop_dms(target: Target, waiting: Waiting, progress: Progress) -> StepReport:
    """Stop the task and wait until it stands; the source's WAL grows until it is started again."""
    task = dms.find_task(target.aws, target.names.replication_task)
    if task is None or task.status in {"ready", "stopped", "failed"}:
        return StepReport("stop dms", "unchanged", "it does not run")
    progress.step("stopping DMS")
    if task.status in dms.RUNNING:
        dms.stop_task(target.aws, task)
    waiting.until(
        lambda: require_task(target),
        lambda seen: seen.status in {"stopped", "failed", "ready"},
        what="the stop of DMS",
        again=f"cdcctl stop dms --stack {target.stack}",
    )
    return StepReport("stop dms", "done", "the source keeps its WAL until it is started again")


def start_glue(
    target: Target,
    waiting: Waiting,
    progress: Progress,
    wanted: Mapping[str, str] | None = None,
) -> StepReport:
    """Start the job unless it runs; one that runs with other code or config is started anew."""
    job = target.names.glue_job
    live = glue.live_run(target.aws, job)
    arguments = dict(wanted or {})
    if live is not None and live.state != "STOPPING":
        if live.has(arguments):
            return StepReport("start glue", "unchanged", f"run {live.id} lives")
        progress.step("stopping the run with the old code or config")
    if live is not None:
        stop_glue(target, waiting, progress)
    progress.step("starting the job")
    run_id = _started(target, arguments, waiting)
    seen = waiting.until(
        lambda: glue.read_run(target.aws, job, run_id),
        lambda seen: seen.state != "STARTING",
        what="the start of the job",
        again=f"cdcctl start glue --stack {target.stack}",
    )
    if not seen.is_live:
        raise CdcctlError(
            "GLU004",
            f"the job's run {run_id} ended at once ({seen.state})",
            why=seen.error,
            fix=f"cdcctl logs glue --stack {target.stack}",
        )
    return StepReport("start glue", "done", f"run {run_id}")


def _started(target: Target, arguments: Mapping[str, str], waiting: Waiting) -> str:
    """Start a run and give its id; Glue counts a run for a moment after its end."""
    job = target.names.glue_job

    def attempt() -> str:
        try:
            return glue.start_run(target.aws, job, arguments)
        except AwsError as error:
            if error.aws_code == "EntityNotFoundException":
                raise CdcctlError(
                    "GLU003",
                    f"there is no job {job}",
                    why=error.why,
                    fix=f"cdcctl deploy --stack {target.stack}",
                    exit_code=ExitCode.NOT_FOUND,
                ) from error
            if error.aws_code != "ConcurrentRunsExceededException":
                raise
            live = glue.live_run(target.aws, job)
            if live is None:
                return ""
            if live.has(arguments):
                # An answer was lost, and the SDK asked again.
                return live.id
            raise CdcctlError(
                "GLU002",
                f"another run of the job lives: {live.id}",
                why=error.why,
                fix=f"cdcctl stop glue --stack {target.stack}   then   cdcctl start glue",
            ) from error

    return replace(waiting, timeout_seconds=_FREED_SECONDS * waiting.scale).until(
        attempt,
        bool,
        what="the end of the job's last run",
        again=f"cdcctl start glue --stack {target.stack}",
    )


def stop_glue(target: Target, waiting: Waiting, progress: Progress) -> StepReport:
    """Ask the job to end after its batches; one that does not is ended through the API.

    Either way nothing is lost: a batch that was begun is finished by the next run.
    """
    job = target.names.glue_job
    live = _live(target, job)
    if live is None:
        return StepReport("stop glue", "unchanged", "no run lives")
    progress.step("the job ends after its batches")
    if live.state == "RUNNING" and _drained(target, live, waiting):
        return StepReport("stop glue", "done", f"run {live.id} ended after its batches")
    progress.step("stopping the job")
    if live.state != "STOPPING":
        glue.stop_run(target.aws, job, live.id)
    waiting.until(
        lambda: glue.read_run(target.aws, job, live.id),
        lambda seen: not seen.is_live,
        what="the stop of the job",
        again=f"cdcctl stop glue --stack {target.stack}",
    )
    return StepReport("stop glue", "done", f"run {live.id} was ended by Glue")


def _drained(target: Target, live: glue.Run, waiting: Waiting) -> bool:
    try:
        BucketMailbox(target).ask_to_stop(live.id)
    except AwsError as error:
        if error.aws_code != "NoSuchBucket":
            raise
        # Without its assets bucket the job reads no request: it is ended through the API.
        return False
    patience = replace(waiting, timeout_seconds=_DRAIN_SECONDS * waiting.scale)
    try:
        patience.until(
            lambda: glue.read_run(target.aws, target.names.glue_job, live.id),
            lambda seen: not seen.is_live,
            what="the end of the batches",
            again="",
        )
    except CdcctlError as error:
        if error.exit_code != ExitCode.TIMEOUT:
            raise
        return False
    return True


def require_stack(target: Target) -> StackState:
    """Give the stack; raise CFN001 when there is none of this name."""
    found = find_stack(target.aws, target.stack)
    if found is None:
        raise CdcctlError(
            "CFN001",
            f"there is no stack `{target.stack}` in account {target.aws.account},"
            f" {target.aws.region}",
            fix=f"cdcctl deploy --stack {target.stack}   or name another with --stack",
            exit_code=ExitCode.NOT_FOUND,
        )
    return found


def _live(target: Target, job: str) -> glue.Run | None:
    try:
        return glue.live_run(target.aws, job)
    except AwsError as error:
        if error.aws_code == "EntityNotFoundException":
            return None
        raise


def require_task(target: Target) -> dms.Task:
    """Give the replication task; raise DMS003 when there is none."""
    task = dms.find_task(target.aws, target.names.replication_task)
    if task is None:
        raise CdcctlError(
            "DMS003",
            f"there is no replication task {target.names.replication_task}",
            fix=f"cdcctl deploy --stack {target.stack}",
            exit_code=ExitCode.NOT_FOUND,
        )
    return task


def _settled(target: Target, waiting: Waiting) -> dms.Task:
    return waiting.until(
        lambda: require_task(target),
        lambda seen: seen.status in dms.SETTLED,
        what="DMS",
        again=f"cdcctl start dms --stack {target.stack}",
    )
