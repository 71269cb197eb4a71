"""The streaming job's runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cdcctl.aws.session import Aws

LIVE = frozenset(("STARTING", "RUNNING", "WAITING", "STOPPING"))


@dataclass(frozen=True)
class Run:
    """One run of the job."""

    id: str
    state: str
    error: str
    arguments: Mapping[str, str]

    @property
    def is_live(self) -> bool:
        """Tell whether the run has not ended."""
        return self.state in LIVE

    def has(self, arguments: Mapping[str, str]) -> bool:
        """Tell whether the run was started with these arguments."""
        return all(self.arguments.get(name) == value for name, value in arguments.items())


def runs(aws: Aws, job: str) -> list[Run]:
    """Give every run, newest first."""
    listed = aws.pages("glue", "get_job_runs", "JobRuns", JobName=job)
    return [_run(each) for each in listed]


def live_run(aws: Aws, job: str) -> Run | None:
    """Give the run that has not ended."""
    return next((run for run in runs(aws, job) if run.is_live), None)


def read_run(aws: Aws, job: str, run_id: str) -> Run:
    """Give one run."""
    return _run(aws.call("glue", "get_job_run", JobName=job, RunId=run_id)["JobRun"])


def start_run(aws: Aws, job: str, arguments: Mapping[str, str]) -> str:
    """Start a run; give its id."""
    answer = aws.call("glue", "start_job_run", JobName=job, Arguments=dict(arguments))
    return str(answer["JobRunId"])


def stop_run(aws: Aws, job: str, run_id: str) -> None:
    """Ask a run to stop."""
    aws.call("glue", "batch_stop_job_run", JobName=job, JobRunIds=[run_id])


def _run(each: Mapping[str, Any]) -> Run:
    return Run(
        each["Id"], each["JobRunState"], each.get("ErrorMessage", ""), each.get("Arguments") or {}
    )
