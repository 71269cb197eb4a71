"""Reads tables.yaml: text in, findings and the pipeline out. The CLI and the job use this one."""

from __future__ import annotations

import gc
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from glue_job.contract.checks import check_draft
from glue_job.contract.checks.places import PLACEHOLDERS
from glue_job.contract.draft import draft_of
from glue_job.contract.finding import CODES, UNREADABLE_CODES, Fault, Finding, Place, did_you_mean
from glue_job.contract.model import Pipeline
from glue_job.contract.shape import check_shape
from glue_job.contract.yaml_source import LINE_BREAK, YamlFault, decode, parse

_IGNORE = re.compile(r"#\s*cdcctl:\s*ignore\s+([A-Za-z0-9_, ]+)")


@dataclass(frozen=True)
class Loaded:
    """What a file says: `pipeline` is None when a finding is an error."""

    findings: tuple[Finding, ...]
    pipeline: Pipeline | None
    text: str
    config_hash: str


def load(text: str, file: str, *, heed_comments: bool = True) -> Loaded:
    """Read the text of a file; faults become findings, never exceptions.

    `# cdcctl: ignore CFG021` at the end of a line silences that code there, unless the code means
    that the file cannot be read.
    """
    with _without_collector():
        faults, pipeline = _read(text)
    faults = _distinct(faults)
    if heed_comments and "cdcctl:" in text:
        faults = _heeding_comments(faults, text)
    faults.sort(key=lambda fault: (fault.place.line or 0, fault.place.column or 0, fault.code))
    findings = tuple(fault.in_file(file) for fault in faults)
    has_error = any(fault.severity == "error" for fault in faults)
    return Loaded(
        findings=findings,
        pipeline=None if has_error else pipeline,
        text=text,
        config_hash=hash_of(text),
    )


def load_bytes(data: bytes, file: str, *, heed_comments: bool = True) -> Loaded:
    """Read the bytes of a file; what is not UTF-8 is a finding."""
    try:
        text = decode(data)
    except YamlFault as error:
        text = data.decode("utf-8", "replace")
        return Loaded((error.fault.in_file(file),), None, text, hash_of(text))
    return load(text, file, heed_comments=heed_comments)


def load_file(path: Path, *, heed_comments: bool = True) -> Loaded:
    """Read a file; OSError when it cannot be opened."""
    return load_bytes(path.read_bytes(), str(path), heed_comments=heed_comments)


def hash_of(text: str) -> str:
    """Give the hash that batch records and quarantine keep of a config."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def resolve(pipeline: Pipeline, values: Mapping[str, str]) -> Pipeline:
    """Fill ${STACK_NAME} and ${AWS_ACCOUNT_ID}; KeyError when the pipeline needs one not given."""

    def filled(text: str) -> str:
        for name in PLACEHOLDERS:
            if "${" + name + "}" in text:
                text = text.replace("${" + name + "}", values[name])
        return text

    settings, kafka = pipeline.settings, pipeline.kafka
    return replace(
        pipeline,
        settings=replace(
            settings,
            quarantine_path=filled(settings.quarantine_path),
            checkpoint_location=filled(settings.checkpoint_location),
            delta_bucket=filled(settings.delta_bucket),
        ),
        kafka=replace(
            kafka,
            bootstrap_servers=filled(kafka.bootstrap_servers),
            sasl_username=filled(kafka.sasl_username),
        ),
        tables=tuple(
            replace(table, delta_path=filled(table.delta_path)) for table in pipeline.tables
        ),
    )


def _read(text: str) -> tuple[list[Fault], Pipeline | None]:
    """Go through the layers: YAML, shape, meaning."""
    try:
        root = parse(text)
    except YamlFault as error:
        return [error.fault], None
    except RecursionError:
        return [Fault("CFG007", "the file is nested too deeply", Place(1, 1))], None
    report = check_shape(root)
    draft = draft_of(root, report.broken)
    faults = [*report.faults, *check_draft(draft)]
    return faults, None if report.errors else draft.pipeline


def _distinct(faults: Iterable[Fault]) -> list[Fault]:
    """Drop repetitions: what an alias shares is met once for each use."""
    return list(dict.fromkeys(faults))


def _heeding_comments(faults: list[Fault], text: str) -> list[Fault]:
    """Drop what a comment on its line silences, and report comments that name no code."""
    silenced: dict[int, set[str]] = {}
    kept = []
    for number, line in enumerate(LINE_BREAK.split(text), start=1):
        match = _IGNORE.search(line) if "cdcctl:" in line else None
        if match is None:
            continue
        codes = [code for code in re.split(r"[,\s]+", match[1].strip()) if code]
        silenced[number] = set(codes)
        for code in codes:
            if code not in CODES:
                place = Place(number, match.start() + 1, len(match[0].rstrip()))
                help_text = did_you_mean(code.upper(), CODES)
                kept.append(
                    Fault("CFG020", f"there is no code `{code}`", place, help_text, "warning")
                )
    for fault in faults:
        codes_here = silenced.get(fault.place.line or 0, set())
        is_fatal = fault.severity == "error" and fault.code in UNREADABLE_CODES
        if is_fatal or fault.code not in codes_here:
            kept.append(fault)
    return kept


@contextmanager
def _without_collector() -> Iterator[None]:
    """Pause the cycle collector: a large tree is built without garbage, and scanned for nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
