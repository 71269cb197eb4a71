"""Loads tables.yaml for a command that needs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cdcctl.errors import CdcctlError, ExitCode
from glue_job.contract.model import Pipeline


@dataclass(frozen=True)
class LoadedConfig:
    """A valid tables.yaml."""

    pipeline: Pipeline
    config_hash: str
    file: Path


def load_config(file: Path) -> LoadedConfig:
    """Read a tables.yaml; raise when it is missing or has an error."""
    from glue_job.contract.loader import load

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise CdcctlError(
            "CFG000",
            f"the config {file} cannot be read",
            why=str(reason),
            fix="name a tables.yaml with --config",
            exit_code=ExitCode.CONFIG,
        ) from error
    loaded = load(text, str(file))
    if loaded.pipeline is None:
        errors = [finding for finding in loaded.findings if finding.severity == "error"]
        first = errors[0]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise CdcctlError(
            first.code,
            f"the config {file} is not valid: {first.message}{more}",
            fix=f"cdcctl validate-config {file}",
            exit_code=ExitCode.CONFIG,
            location=f"{first.file}:{first.line}:{first.column}",
        )
    return LoadedConfig(loaded.pipeline, loaded.config_hash, file)


def require_table(name: str, pipeline: Pipeline) -> None:
    """Raise USE011 unless the config has a source table of this name."""
    known = [table.name for table in pipeline.streamed_tables]
    if name not in known:
        raise CdcctlError(
            "USE011",
            f"the config has no table `{name}`",
            why=f"known: {', '.join(known)}",
            fix="name one of them",
            exit_code=ExitCode.USAGE,
        )
