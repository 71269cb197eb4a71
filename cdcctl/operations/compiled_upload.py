"""Puts a compiled file beside the deployed config and asks a Lambda to act on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cdcctl.aws import functions, s3
from cdcctl.compile.artefacts import CompiledFile, compiled_files
from cdcctl.operations.configuration import LoadedConfig
from cdcctl.operations.target import Target


@dataclass(frozen=True)
class Item:
    """One thing that was looked at: a statement, a topic, a catalog table."""

    name: str
    status: str
    detail: str = ""

    def as_document(self) -> dict[str, str]:
        """Give the item as plain data."""
        return {"name": self.name, "status": self.status, "detail": self.detail}


@dataclass(frozen=True)
class SyncReport:
    """What was brought in line, or would be."""

    what: str
    dry_run: bool
    items: tuple[Item, ...]
    warnings: tuple[str, ...] = ()
    statements: tuple[str, ...] = field(default=())
    """SQL, for bootstrap-db."""

    @property
    def changed(self) -> int:
        """Count what was, or would be, changed."""
        return sum(item.status not in {"unchanged", "drift", "unknown"} for item in self.items)


def compiled(config: LoadedConfig, name: str) -> CompiledFile:
    """Compile one file of the config."""
    return compiled_files(config.pipeline)[name]


def ask(
    target: Target,
    function: str,
    file: CompiledFile,
    event: dict[str, Any],
    folder: str = "config",
) -> dict[str, Any]:
    """Upload the file unless it is there, and have the function act on exactly that."""
    bucket = target.names.assets_bucket
    key = f"{folder}/{file.sha256[:16]}/{file.name}"
    s3.put_missing(target.aws, bucket, key, file.body)
    return functions.invoke(
        target.aws, function, {"bucket": bucket, "key": key, "sha256": file.sha256, **event}
    )
