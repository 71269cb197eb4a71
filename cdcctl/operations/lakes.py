"""Finds the lake that a command reads, and what tables.yaml says about its tables."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from cdcctl.compile.catalog import lake_paths
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.lake.reader import Lake, open_lake
from cdcctl.lake.store import S3Store
from cdcctl.operations.configuration import load_config
from cdcctl.operations.target import Target, TargetChoice, open_target
from glue_job.contract.lake import LakePaths
from glue_job.contract.model import Pipeline, Table


@dataclass(frozen=True)
class LakeRequest:
    """Which lake to read: a folder, that of the local stack, or a stack's; under which config."""

    config: Path
    lake: Path | None = None
    is_local: bool = False
    local_folder: Path = Path(".cdcctl/local")
    target: TargetChoice = field(default_factory=TargetChoice)

    @property
    def is_on_this_machine(self) -> bool:
        """Tell whether the lake is a folder."""
        return self.is_local or self.lake is not None

    @property
    def options(self) -> str:
        """Spell the choice of the lake for a command that is suggested, with a space before it."""
        words: tuple[str, ...] = ()
        if self.is_local:
            words = ("--local",)
        elif self.lake is not None:
            words = ("--lake", str(self.lake))
        elif self.target.stack:
            words = ("--stack", self.target.stack)
        return f" {shlex.join(words)}" if words else ""


@dataclass(frozen=True)
class OpenedLake:
    """A lake with its config; `pipeline` is None when there is no config file."""

    lake: Lake
    pipeline: Pipeline | None
    warnings: tuple[str, ...] = ()
    target: Target | None = None
    """The stack that the lake belongs to; None for a folder."""

    def table(self, name: str) -> Table | None:
        """Find a table in the config; None when the config does not know it."""
        if self.pipeline is None:
            return None
        return next((table for table in self.pipeline.tables if table.name == name), None)

    def require_table(self, name: str) -> None:
        """Raise LAK003 unless the config or the lake knows a table."""
        if self.table(name) is None:
            self.lake.require_table(name)


def open_requested_lake(request: LakeRequest) -> OpenedLake:
    """Open a lake; a config that is missing hides every value, one that is wrong is an error."""
    if request.is_local and request.lake is not None:
        raise CdcctlError(
            "USE003",
            "--local and --lake exclude each other",
            fix="add --local for the lake of the local stack, or --lake DIR for another",
            exit_code=ExitCode.USAGE,
        )
    if not request.is_on_this_machine:
        return _deployed_lake(request)
    if request.lake is not None:
        made_by = f"cdcctl local run --config FILE --messages DIR --lake {request.lake}"
        lake = open_lake(request.lake, made_by=made_by)
    else:
        lake = open_lake(request.local_folder / "lake", made_by="cdcctl local up")
    if not request.config.exists():
        warning = f"no config at {request.config}: all values are masked, --reveal shows them"
        return OpenedLake(lake, None, (warning,))
    return OpenedLake(lake, load_config(request.config).pipeline)


def _deployed_lake(request: LakeRequest) -> OpenedLake:
    if not request.target.stack:
        raise CdcctlError(
            "USE003",
            "which lake?",
            fix="add --stack NAME for a deployed one, --local for that of the local stack,"
            " or --lake DIR",
            exit_code=ExitCode.USAGE,
        )
    pipeline = load_config(request.config).pipeline
    target = open_target(request.target)
    return OpenedLake(lake_of_stack(target, pipeline), pipeline, target=target)


def lake_of_stack(target: Target, pipeline: Pipeline) -> Lake:
    """Give the lake of a deployed stack, read with the operator's credentials."""
    written = lake_paths(pipeline)
    paths = LakePaths(
        delta=filled(written.delta, target),
        quarantine_root=filled(written.quarantine_root, target),
    )
    return Lake(paths.delta, paths, S3Store(target.aws))


def filled(address: str, target: Target) -> str:
    """Put a stack's name and account into an address of the config."""
    for name, value in (("STACK_NAME", target.stack), ("AWS_ACCOUNT_ID", target.aws.account)):
        address = address.replace(f"${{{name}}}", value)
    return address.rstrip("/")
