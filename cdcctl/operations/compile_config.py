"""Compiles tables.yaml into the files that PostgreSQL, DMS, Kafka and the Glue catalog take."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from cdcctl.compile.catalog import catalog_entries
from cdcctl.compile.ddl import ddl_script
from cdcctl.compile.dms import endpoint_settings, table_mappings, task_settings
from cdcctl.compile.template import render_bootstrap, render_pipeline
from cdcctl.compile.topics import topics
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.configuration import load_config
from cdcctl.operations.output_files import write_inside
from glue_job.contract.model import Pipeline


class CompileFormat(StrEnum):
    """What can be compiled."""

    ddl = "ddl"
    dms = "dms"
    topics = "topics"
    catalog = "catalog"
    cfn = "cfn"
    all = "all"


@dataclass(frozen=True)
class Artefact:
    """One compiled file."""

    name: str
    text: str


@dataclass(frozen=True)
class CompileRequest:
    """What to compile, and where to write it or what to compare it with."""

    config: Path
    format: CompileFormat
    folder: Path | None
    is_check: bool = False


@dataclass(frozen=True)
class CompileReport:
    """The compiled files; `stale` names those that differ in the folder, before any writing."""

    config_hash: str
    artefacts: tuple[Artefact, ...]
    stale: tuple[str, ...]
    folder: Path | None


def compile_config(request: CompileRequest) -> CompileReport:
    """Compile, and write or compare when there is a folder."""
    config = load_config(request.config)
    artefacts = artefacts_of(config.pipeline, request.format, str(request.config))
    stale: tuple[str, ...] = ()
    if request.folder is not None:
        folder = request.folder
        stale = tuple(a.name for a in artefacts if _content(folder / a.name) != a.text)
        if not request.is_check:
            _write(folder, [artefact for artefact in artefacts if artefact.name in stale])
    return CompileReport(config.config_hash, artefacts, stale, request.folder)


def artefacts_of(
    pipeline: Pipeline, wanted: CompileFormat, file: str = "tables.yaml"
) -> tuple[Artefact, ...]:
    """Give the files of one format, or of all; what PostgreSQL or Glue would refuse is an error."""
    kinds = tuple(_BUILDERS) if wanted is CompileFormat.all else (wanted,)
    try:
        return _built(pipeline, kinds)
    except ValueError as error:
        raise CdcctlError(
            "CFG050",
            f"{file} cannot be compiled: {error}",
            fix=f"cdcctl validate-config {file}",
            exit_code=ExitCode.CONFIG,
        ) from error


def why_not_compiled(pipeline: Pipeline, *, parses_sql: bool) -> str | None:
    """Compile in memory what depends on the tables, and tell why PostgreSQL or AWS would refuse."""
    try:
        _built(pipeline, tuple(kind for kind in _BUILDERS if kind is not CompileFormat.cfn))
    except ValueError as error:
        return str(error)
    return _sql_fault(ddl_script(pipeline)) if parses_sql else None


def _sql_fault(script: str) -> str | None:
    # Loading the parser takes half as long as the whole command may.
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        sqlglot.parse(script, read="postgres")
    except SqlglotError as error:
        return f"the DDL is not SQL that PostgreSQL reads: {error}"
    return None


def _built(pipeline: Pipeline, kinds: Sequence[CompileFormat]) -> tuple[Artefact, ...]:
    return tuple(artefact for kind in kinds for artefact in _BUILDERS[kind](pipeline))


def _ddl(pipeline: Pipeline) -> Sequence[Artefact]:
    return (Artefact("ddl.sql", ddl_script(pipeline)),)


def _dms(pipeline: Pipeline) -> Sequence[Artefact]:
    return (
        _json("dms-table-mappings.json", table_mappings(pipeline)),
        _json("dms-task-settings.json", task_settings()),
        _json("dms-endpoint-settings.json", endpoint_settings(pipeline)),
    )


def _topics(pipeline: Pipeline) -> Sequence[Artefact]:
    documents = [topic.as_document() for topic in topics(pipeline)]
    return (_json("topics.json", {"topics": documents}),)


def _catalog(pipeline: Pipeline) -> Sequence[Artefact]:
    return (_json("catalog.json", {"tables": list(catalog_entries(pipeline))}),)


def _cfn(pipeline: Pipeline) -> Sequence[Artefact]:
    return (
        Artefact("bootstrap.template.json", render_bootstrap().body + "\n"),
        Artefact("pipeline.template.json", render_pipeline(pipeline).body + "\n"),
    )


_BUILDERS: dict[CompileFormat, Callable[[Pipeline], Sequence[Artefact]]] = {
    CompileFormat.ddl: _ddl,
    CompileFormat.dms: _dms,
    CompileFormat.topics: _topics,
    CompileFormat.catalog: _catalog,
    CompileFormat.cfn: _cfn,
}


def _json(name: str, content: Any) -> Artefact:
    return Artefact(name, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _content(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, error) from error


def _write(folder: Path, artefacts: Sequence[Artefact]) -> None:
    try:
        for artefact in artefacts:
            write_inside(folder, artefact.name, artefact.text)
    except OSError as error:
        raise _unusable(Path(error.filename or folder), error) from error


def _unusable(path: Path, error: Exception) -> CdcctlError:
    reason = error.strerror if isinstance(error, OSError) else None
    return CdcctlError(
        "USE006",
        f"{path} cannot be used as output",
        why=reason or str(error),
        fix="name another folder with --out",
    )
