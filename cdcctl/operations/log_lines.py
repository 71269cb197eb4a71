"""Gathers what the parts of a pipeline have logged, in the order of time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from cdcctl.aws import cloudformation as cfn
from cdcctl.aws.errors import AwsError
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.target import Target
from cdcctl.redaction import redacted
from glue_job.contract.telemetry import LINE_START

SOURCES = ("glue", "dms", "msk", "cfn", "lambda")
_GLUE_GROUPS = ("/aws-glue/jobs/error", "/aws-glue/jobs/output")
_POLL_SECONDS = 3.0
_OVERLAP = timedelta(seconds=30)
"""CloudWatch takes lines late: a look goes back so far, and what was shown is left out."""
_NOISE = re.compile(
    r"^(START|END|REPORT|INIT_START) |Found endpoint for |Stage \d+:|WARN Utils:"
    rf"|^{re.escape(LINE_START)}"
)


@dataclass(frozen=True)
class LogLine:
    """One line of one part."""

    at: datetime
    source: str
    text: str

    def as_document(self) -> dict[str, Any]:
        """Give the line as plain data."""
        return {"at": self.at, "source": self.source, "text": self.text}


@dataclass(frozen=True)
class LogRequest:
    """Whose lines, since when, and which of them."""

    source: str
    since: datetime
    pattern: str | None = None
    table: str | None = None
    with_noise: bool = False


Reader = Callable[[], Iterable[LogLine]]
Readers = Callable[[LogRequest], list[Reader]]
_Group = tuple[str, str, str | None]
"""Source, log group, and how a stream's name begins."""
"""Gives a reader for each part whose lines are wanted."""


def read_logs(readers_of: Readers, request: LogRequest) -> list[LogLine]:
    """Give the lines of all wanted parts by time; a part that has none yet is left out."""
    readers = readers_of(request)
    wanted = _filter(request)
    with ThreadPoolExecutor(max_workers=8) as pool:
        found = pool.map(lambda reader: list(reader()), readers)
        lines = [line for part in found for line in part if wanted(line)]
    return sorted(lines, key=lambda line: line.at)


def follow_logs(
    readers_of: Readers, request: LogRequest, timeout_seconds: float | None
) -> Iterator[LogLine]:
    """Give the lines, then each new one, until the time is up.

    A look that AWS turns away for a moment is told as a line, and made again.
    """
    ends_at = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    shown: set[LogLine] = set()
    since = request.since
    while True:
        began = datetime.now(UTC)
        try:
            found = read_logs(readers_of, replace(request, since=since))
        except AwsError as error:
            if not error.is_transient:
                raise
            yield LogLine(began, "cdcctl", f"{error.what}; asked again")
        else:
            for line in found:
                if line not in shown:
                    shown.add(line)
                    yield line
            since = max(request.since, began - _OVERLAP)
            shown = {line for line in shown if line.at >= since}
        if ends_at is not None and time.monotonic() + _POLL_SECONDS > ends_at:
            return
        time.sleep(_POLL_SECONDS)


def _filter(request: LogRequest) -> Any:
    try:
        pattern = re.compile(request.pattern) if request.pattern else None
    except re.error as error:
        raise CdcctlError(
            "USE050",
            f"`{request.pattern}` is not a pattern",
            why=str(error),
            fix="give a regular expression with --grep",
            exit_code=ExitCode.USAGE,
        ) from error
    word = re.compile(rf"\b{re.escape(request.table)}\b") if request.table else None

    def wanted(line: LogLine) -> bool:
        if not request.with_noise and (not line.text.strip() or _NOISE.search(line.text)):
            return False
        if word is not None and not word.search(line.text):
            return False
        return pattern is None or pattern.search(line.text) is not None

    return wanted


def unknown_source(source: str, known: Iterable[str], fix: str) -> CdcctlError:
    """Give the error for a part that has no logs."""
    return CdcctlError(
        "USE051",
        f"there are no logs of `{source}`",
        why=f"there are: {', '.join(known)}",
        fix=fix,
        exit_code=ExitCode.USAGE,
    )


def stack_readers(target: Target, request: LogRequest) -> list[Reader]:
    """Give a reader for each wanted part of a stack on AWS."""
    kind, _, name = request.source.partition(":")
    if kind not in (*SOURCES, "all"):
        raise unknown_source(request.source, (*SOURCES, "lambda:NAME", "all"), "cdcctl logs glue")
    found: list[Reader] = []
    if kind in {"cfn", "all"}:
        found.append(partial(_stack_events, target, request.since))
    groups = [*_groups_of_job(target)] if kind in {"glue", "all"} else []
    for source, group, prefix in (*groups, *_fixed_groups(target, name)):
        if kind in {source.partition(":")[0], "all"}:
            found.append(partial(_group_lines, target, source, group, prefix, request.since))
    return found


def _groups_of_job(target: Target) -> Iterator[_Group]:
    """Give the job's groups, those of its security configuration and those of all jobs, by run."""
    from cdcctl.aws import glue

    try:
        runs = [run.id for run in glue.runs(target.aws, target.names.glue_job)[:3]]
    except AwsError as error:
        if error.aws_code != "EntityNotFoundException":
            raise
        return
    if not runs:
        return
    own = [
        each["logGroupName"]
        for beginning in target.names.glue_log_groups
        for each in target.aws.pages(
            "logs", "describe_log_groups", "logGroups", logGroupNamePrefix=beginning
        )
    ]
    yield from (("glue", group, run) for run in runs for group in (*own, *_GLUE_GROUPS))


def _fixed_groups(target: Target, function: str) -> Iterator[_Group]:
    """Give the groups that have the same name in each stack."""
    names = target.names
    yield "dms", names.dms_log_group, None
    yield "msk", names.kafka_log_group, None
    for each in (*names.functions, names.bootstrap_servers):
        short = each.removeprefix(f"{target.stack}-")
        if function in {"", each, short}:
            yield f"lambda:{short}", f"/aws/lambda/{each}", None


def _group_lines(
    target: Target, source: str, group: str, prefix: str | None, since: datetime
) -> Iterator[LogLine]:
    options = {} if prefix is None else {"logStreamNamePrefix": prefix}
    try:
        for event in target.aws.pages(
            "logs",
            "filter_log_events",
            "events",
            logGroupName=group,
            startTime=int(since.timestamp() * 1000),
            **options,
        ):
            at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
            for text in event["message"].splitlines():
                yield LogLine(at, source, redacted(text))
    except AwsError as error:
        if error.aws_code != "ResourceNotFoundException":
            raise


def _stack_events(target: Target, since: datetime) -> Iterator[LogLine]:
    if cfn.find_stack(target.aws, target.stack) is None:
        return
    for event in cfn.events(target.aws, target.stack):
        if event.at >= since:
            reason = f" {event.reason}" if event.reason else ""
            yield LogLine(event.at, "cfn", f"{event.logical_id} {event.status}{reason}")
