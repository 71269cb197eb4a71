"""Reads what the processes of the local stack have logged, a file each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.local.layout import StackDirectory
from cdcctl.operations.log_lines import LogLine, LogRequest, Reader, unknown_source
from cdcctl.redaction import redacted

PROCESSES = ("job", "capture", "broker", "postgres", "supervisor")
_STAMPS = (
    (re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.,]\d{3})( UTC)? "), "%Y-%m-%d %H:%M:%S.%f"),
    (re.compile(r"(\d\d/\d\d/\d\d \d\d:\d\d:\d\d) "), "%y/%m/%d %H:%M:%S"),
)
"""How PostgreSQL, Python and Kafka begin a line, and how Spark does; all in UTC."""


def local_readers(directory: Path | None, request: LogRequest) -> list[Reader]:
    """Give a reader for each wanted process of the stack; raises when there never was a stack."""
    stack = StackDirectory.resolve(directory)
    if not stack.is_stack:
        raise CdcctlError(
            "LOC062",
            f"there is no local stack in {stack.root}",
            fix="cdcctl local up",
            exit_code=ExitCode.NOT_FOUND,
        )
    files = {file.stem: file for file in sorted(stack.logs.glob("*.log"))}
    if request.source != "all" and request.source not in files:
        raise unknown_source(request.source, (*files, "all"), "cdcctl logs job --local")
    return [
        partial(_lines, source, file, request.since)
        for source, file in files.items()
        if request.source in {source, "all"}
    ]


def _lines(source: str, file: Path, since: datetime) -> Iterator[LogLine]:
    """Give the lines of a file; one without a time has that of the line before it."""
    at = datetime.min.replace(tzinfo=UTC)
    with file.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            text = line.rstrip()
            for pattern, spelling in _STAMPS:
                stamp = pattern.match(text)
                if stamp:
                    written = stamp[1].replace(",", ".")
                    at = datetime.strptime(written, spelling).replace(tzinfo=UTC)
                    text = text[stamp.end() :]
                    break
            if at >= since:
                yield LogLine(at, source, redacted(text))
