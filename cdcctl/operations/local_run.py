"""Hands message files to the job, one micro-batch a file and table, in name order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.configuration import load_config, require_table
from glue_job.consent import Consent

if TYPE_CHECKING:
    from cdcctl.ui.progress import Progress

_FIELDS = ("topic", "partition", "offset", "timestamp", "key", "value")


@dataclass(frozen=True)
class LocalRunRequest:
    """Which messages go through which config into which lake."""

    config: Path
    messages: Path
    lake: Path
    artifacts: Path | None = None
    consent: Consent = field(default_factory=Consent)


@dataclass(frozen=True)
class BatchLine:
    """What became of the messages of one table in one file."""

    file: str
    table: str
    batch_id: int
    consumed: int
    outcomes: Mapping[str, int]


@dataclass(frozen=True)
class LocalRunReport:
    """The batches of this run; none when every file had been applied before."""

    batches: tuple[BatchLine, ...]


@dataclass(frozen=True)
class MessageFile:
    """A message file that was read through: its content is what its hash says."""

    path: Path
    sha256: str
    topics: tuple[str, ...]


def run_messages(request: LocalRunRequest, progress: Progress) -> LocalRunReport:
    """Apply the files that the lake has not seen; everything is checked before the first write."""
    from cdcctl.local.job import MessageRun

    config = load_config(request.config)
    tables = {table.topic: table for table in config.pipeline.streamed_tables}
    for name in sorted(request.consent.tables):
        require_table(name, config.pipeline)
    files = _message_files(request.messages)
    progress.step("reading the message files")
    with MessageRun(request.lake, config, request.artifacts, request.consent) as run:
        fresh = run.manifest.unapplied(files)
        checked = []
        for position, path in enumerate(fresh):
            progress.advance(position, len(fresh))
            checked.append(_read_through(path, tables.keys()))
        if not checked:
            return LocalRunReport(())
        run.start(progress, topics={topic for file in checked for topic in file.topics})
        lines = []
        for position, file in enumerate(checked):
            progress.step(f"{file.path.name} ({position + 1} of {len(checked)})")
            for report in run.apply(file):
                lines.append(
                    BatchLine(
                        file=file.path.name,
                        table=report.table,
                        batch_id=report.batch.batch_id,
                        consumed=report.consumed,
                        outcomes=report.outcomes,
                    )
                )
        return LocalRunReport(tuple(lines))


def _message_files(folder: Path) -> list[Path]:
    try:
        found = sorted(path for path in folder.iterdir() if path.name.endswith(".jsonl"))
    except OSError as error:
        raise CdcctlError(
            "LOC070",
            f"the messages folder {folder} cannot be read",
            why=error.strerror or str(error),
            fix="name a folder of *.jsonl files with --messages",
            exit_code=ExitCode.CONFIG,
        ) from error
    if not found:
        raise CdcctlError(
            "LOC071",
            f"there is no *.jsonl file in {folder}",
            fix="name a folder of *.jsonl files with --messages",
            exit_code=ExitCode.CONFIG,
        )
    return found


def _read_through(path: Path, known_topics: Any) -> MessageFile:
    """Check every line of a file, and hash the same bytes."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CdcctlError(
            "LOC072",
            f"the message file {path} cannot be read",
            why=error.strerror or str(error),
            fix="make it readable, or move it out of the folder",
            exit_code=ExitCode.CONFIG,
        ) from error
    topics: dict[str, None] = {}
    for number, message in _lines(path, content):
        topics[_checked(message, path, number, known_topics)] = None
    return MessageFile(path, hashlib.sha256(content).hexdigest(), tuple(topics))


def _lines(path: Path, content: bytes) -> Iterator[tuple[int, object]]:
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _bad_line(path, number, f"it is not JSON: {error}") from error


def _checked(message: object, path: Path, number: int, known_topics: Any) -> str:
    if not isinstance(message, dict):
        raise _bad_line(path, number, "it is not a JSON object")
    missing = [name for name in _FIELDS if name not in message]
    if missing:
        raise _bad_line(path, number, f"it lacks {', '.join(f'`{name}`' for name in missing)}")
    whole_numbers = {"partition": 2**31, "offset": 2**63, "timestamp": 2**53}
    for name, bound in whole_numbers.items():
        value = message[name]
        if not isinstance(value, int) or isinstance(value, bool) or not -1 <= value < bound:
            raise _bad_line(path, number, f"`{name}` is not a whole number from 0")
    for name in ("key", "value"):
        if not isinstance(message[name], str | None):
            raise _bad_line(path, number, f"`{name}` is neither a text nor null")
    topic = message["topic"]
    if not isinstance(topic, str):
        raise _bad_line(path, number, "`topic` is not a text")
    if topic not in known_topics:
        raise CdcctlError(
            "LOC074",
            f"no table of the config has the topic `{topic}`",
            why=f"{path}:{number} comes from it; known topics: {', '.join(sorted(known_topics))}",
            fix="name the config that these messages belong to with --config",
            exit_code=ExitCode.CONFIG,
            location=f"{path}:{number}",
        )
    return topic


def _bad_line(path: Path, number: int, why: str) -> CdcctlError:
    return CdcctlError(
        "LOC073",
        f"{path}:{number} is not a message",
        why=why,
        fix='write one {"topic","partition","offset","timestamp","key","value"} a line',
        exit_code=ExitCode.CONFIG,
        location=f"{path}:{number}",
    )
