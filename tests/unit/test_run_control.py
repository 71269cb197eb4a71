"""The start of the job, where Glue says that a run lives already."""

from __future__ import annotations

from typing import Any

import pytest

from cdcctl.aws.errors import AwsError
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations import run_control
from cdcctl.operations.target import Target
from cdcctl.operations.waiting import Waiting
from cdcctl.ui.progress import SilentProgress
from tests.unit.answering_aws import AnsweringAws

OURS = {"--config": "s3://assets/config/1/tables.yaml"}


def start(runs: list[list[dict[str, Any]]], refusals: int) -> tuple[str, list[dict[str, Any]]]:
    """Start the job; Glue lists these runs, one list a look, and refuses so often."""
    asked: list[dict[str, Any]] = []

    def start_job_run(given: dict[str, Any]) -> dict[str, str]:
        asked.append(given)
        if len(asked) <= refusals:
            raise AwsError("AWS008", "no", aws_code="ConcurrentRunsExceededException")
        return {"JobRunId": "jr_9"}

    answers = {
        "get_job_runs": lambda _: runs.pop(0),
        "get_job_run": {"JobRun": {"Id": "jr_9", "JobRunState": "RUNNING"}},
        "start_job_run": start_job_run,
    }
    target = Target("demo", AnsweringAws(answers))  # type: ignore[arg-type]  # answers from a table
    waiting = Waiting(5, 0.01, scale=0.01)
    return run_control.start_glue(target, waiting, SilentProgress(), OURS).detail, asked


def run_with(arguments: dict[str, str]) -> dict[str, Any]:
    return {"Id": "jr_9", "JobRunState": "STARTING", "Arguments": arguments}


def test_a_run_that_has_just_ended_is_waited_for() -> None:
    detail, asked = start([[], [], []], refusals=2)
    assert detail == "run jr_9"
    assert len(asked) == 3


def test_the_run_of_a_lost_answer_is_not_started_again() -> None:
    detail, asked = start([[], [run_with(OURS)]], refusals=9)
    assert detail == "run jr_9"
    assert len(asked) == 1


def test_a_run_that_somebody_else_has_started_is_refused_by_name() -> None:
    with pytest.raises(CdcctlError, match="another run of the job lives: jr_9") as caught:
        start([[], [run_with({"--config": "another"})]], refusals=9)
    assert (caught.value.code, caught.value.exit_code) == ("GLU002", ExitCode.FAILED)
    assert "cdcctl stop glue --stack demo" in caught.value.fix
