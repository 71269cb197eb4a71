"""Checks one tables.yaml, offline."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.compile_config import why_not_compiled
from glue_job.contract.finding import CODES, Finding, did_you_mean
from glue_job.contract.loader import Loaded, load_bytes

STDIN = Path("-")


@dataclass(frozen=True)
class ValidateRequest:
    """Which file, and which findings of it are wanted: codes or their beginnings."""

    file: Path
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    strict: bool = False
    """Warnings are errors, comments silence nothing, and the SQL it compiles to is parsed."""


@dataclass(frozen=True)
class ValidateReport:
    """What is wrong with a file; `text` is what excerpts are cut from."""

    file: str
    text: str
    findings: tuple[Finding, ...]
    table_count: int | None
    """How many tables the pipeline has; None when the file makes no pipeline."""

    def count(self, severity: str) -> int:
        """Count the findings of one severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def fails(self, *, on_warning: bool) -> bool:
        """Tell whether a finding is an error, or a warning where that is enough."""
        return bool(self.count("error") or (on_warning and self.count("warning")))


def validate_config(request: ValidateRequest) -> ValidateReport:
    """Read and check a file; raise when there is none, or a code does not exist."""
    select, ignore = _known(request.select, "--select"), _known(request.ignore, "--ignore")
    data, name = _read(request.file)
    loaded = load_bytes(data, name, heed_comments=not request.strict)
    findings = [
        finding
        for finding in (*loaded.findings, *_of_what_it_compiles_to(loaded, name, request.strict))
        if (not select or finding.code.startswith(select)) and not finding.code.startswith(ignore)
    ]
    if request.strict:
        findings = [_as_error(finding) for finding in findings]
    tables = None if loaded.pipeline is None else len(loaded.pipeline.tables)
    return ValidateReport(name, loaded.text, tuple(findings), tables)


def _of_what_it_compiles_to(loaded: Loaded, file: str, is_strict: bool) -> Iterator[Finding]:
    if loaded.pipeline is None:
        return
    refused = why_not_compiled(loaded.pipeline, parses_sql=is_strict)
    if refused is not None:
        yield Finding("CFG050", "error", f"it cannot be compiled: {refused}", file, None, None)


def _as_error(finding: Finding) -> Finding:
    return replace(finding, severity="error") if finding.severity == "warning" else finding


def _known(chosen: Iterable[str], option: str) -> tuple[str, ...]:
    """Split lists at commas; raise for what begins no code."""
    codes = tuple(
        code.strip().upper() for entry in chosen for code in entry.split(",") if code.strip()
    )
    for code in codes:
        if not any(known.startswith(code) for known in CODES):
            raise CdcctlError(
                "USE008",
                f"{option}: there is no code {code}",
                why=did_you_mean(code, CODES).replace("`", ""),
                fix="cdcctl validate-config --help",
                exit_code=ExitCode.USAGE,
            )
    return codes


def _read(file: Path) -> tuple[bytes, str]:
    if file == STDIN:
        return sys.stdin.buffer.read(), "<stdin>"
    try:
        return file.read_bytes(), str(file)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CdcctlError(
            "CFG000",
            f"{file} cannot be read",
            why=str(reason),
            fix="cdcctl validate-config FILE",
            exit_code=ExitCode.USAGE,
        ) from None
