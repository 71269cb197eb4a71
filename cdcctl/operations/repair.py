"""Asks the process that owns a lake for a change: a replay, a discard, a rebuild, a closing."""

from __future__ import annotations

import getpass
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.configuration import LoadedConfig, load_config, require_table
from cdcctl.operations.lakes import LakeRequest, open_requested_lake
from cdcctl.operations.mailbox import BucketMailbox, FolderMailbox, Mailbox
from cdcctl.operations.row_id import RowId
from glue_job.requests import Answer, Coordinates, Load, Request, Selection

if TYPE_CHECKING:
    from cdcctl.ui.progress import Progress

_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class RepairRequest:
    """What to do to which table of which lake."""

    lake: LakeRequest
    kind: str
    table: str
    rule: str | None = None
    since: datetime | None = None
    ids: tuple[str, ...] = ()
    patches: tuple[str, ...] = ()
    most: int | None = None
    reason: str = ""
    dry_run: bool = False
    load: Load | None = None
    timeout_seconds: float = 600.0
    artifacts: Path | None = None


@dataclass(frozen=True)
class RepairReport:
    """What was done, or would be."""

    kind: str
    table: str
    dry_run: bool
    request_id: str
    counts: Mapping[str, int]
    still_failing: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def repair(request: RepairRequest, progress: Progress) -> RepairReport:
    """Do it here when no process owns the lake, else leave the request for its owner and wait."""
    opened = open_requested_lake(request.lake)
    config = load_config(request.lake.config)
    require_table(request.table, config.pipeline)
    asked = _asked(request)
    if opened.target is not None:
        box = BucketMailbox(opened.target)
        box.leave(asked)
        answer = _awaited(box, asked, request.timeout_seconds, progress)
    else:
        answer = _on_this_machine(
            Path(opened.lake.root).absolute(), config, request, asked, progress
        )
    return _report(request, asked, answer, opened.warnings)


def _on_this_machine(
    lake: Path, config: LoadedConfig, request: RepairRequest, asked: Request, progress: Progress
) -> Answer:
    from cdcctl.local.repairs import answer_here, owned

    if asked.dry_run:
        return answer_here(lake, config, request.artifacts, asked, progress, None)
    box = FolderMailbox(lake / "requests")
    with owned(lake, f"cdcctl {request.kind}") as lock:
        box.leave(asked)
        if lock is None:
            return _awaited(box, asked, request.timeout_seconds, progress)
        answer = answer_here(lake, config, request.artifacts, asked, progress, lock)
        box.answer(asked.id, answer)
        return answer


def _asked(request: RepairRequest) -> Request:
    now = datetime.now(UTC)
    return Request(
        id=f"{now:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}",
        kind=request.kind,
        table=request.table,
        requested_by=getpass.getuser(),
        requested_at=now,
        reason=request.reason,
        selection=Selection(
            rule=request.rule,
            since=request.since,
            coordinates=tuple(_coordinates(text, request.table) for text in request.ids),
            most=request.most,
        ),
        patch=dict(_patch(text) for text in request.patches),
        dry_run=request.dry_run,
        load=request.load,
    )


def _coordinates(text: str, table: str) -> Coordinates:
    place = RowId.parse(text, table)
    there = (place.partition, place.offset)
    return there if place.topic is None else (*there, place.topic)


def _patch(text: str) -> tuple[str, str | None]:
    """Read `column=value`, the value a JSON scalar; a word that is none is a text."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise _bad_patch(text, "write COLUMN=VALUE, such as speed_kmh=null")
    try:
        read = json.loads(value, parse_int=str, parse_float=str, parse_constant=str)
    except ValueError:
        return name.strip(), value
    if isinstance(read, dict | list):
        raise _bad_patch(text, "the value is a scalar: null, true, 12.5 or a text")
    if read is None or isinstance(read, str):
        return name.strip(), read
    return name.strip(), json.dumps(read)


def _bad_patch(text: str, why: str) -> CdcctlError:
    return CdcctlError(
        "USE012",
        f"`{text}` is not a patch",
        why=why,
        fix="cdcctl quarantine replay TABLE --patch COLUMN=VALUE",
        exit_code=ExitCode.USAGE,
    )


def _awaited(box: Mailbox, asked: Request, timeout_seconds: float, progress: Progress) -> Answer:
    progress.step("waiting for the process that writes the lake: it looks between two batches")
    deadline = time.monotonic() + timeout_seconds
    while (answer := box.answer_to(asked.id)) is None:
        if time.monotonic() > deadline:
            is_here = isinstance(box, FolderMailbox)
            raise CdcctlError(
                "QUA020",
                f"request {asked.id} has no answer after {timeout_seconds:g} s",
                why="the process that writes the lake has not come to it yet; it still will",
                fix=f"look for {box.place_of(asked.id)}, or see how the job is: "
                f"cdcctl {'local ' if is_here else ''}status",
                exit_code=ExitCode.TIMEOUT,
            )
        time.sleep(_POLL_SECONDS)
    return answer


def _report(
    request: RepairRequest, asked: Request, answer: Answer, warnings: tuple[str, ...]
) -> RepairReport:
    if answer.error is not None:
        said = answer.error
        raise CdcctlError(said["code"], said["what"], said["why"], said["fix"])
    return RepairReport(
        request.kind,
        request.table,
        request.dry_run,
        asked.id,
        answer.counts,
        answer.still_failing,
        warnings,
    )
