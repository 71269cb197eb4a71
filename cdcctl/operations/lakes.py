"""Finds the lake that a command reads, and what tables.yaml says about its tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.lake.reader import Lake, open_lake
from cdcctl.operations.configuration import load_config
from glue_job.contract.model import Pipeline, Table


@dataclass(frozen=True)
class LakeRequest:
    """Which lake to read: a folder, or that of the local stack; and under which config."""

    config: Path
    lake: Path | None = None
    is_local: bool = False
    local_folder: Path = Path(".cdcctl/local")


@dataclass(frozen=True)
class OpenedLake:
    """A lake with its config; `pipeline` is None when there is no config file."""

    lake: Lake
    pipeline: Pipeline | None
    warnings: tuple[str, ...] = ()

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
    if request.is_local == (request.lake is not None):
        raise CdcctlError(
            "USE003",
            "which lake?" if request.lake is None else "--local and --lake exclude each other",
            fix="add --local for the lake of the local stack, or --lake DIR for another",
            exit_code=ExitCode.USAGE,
        )
    if request.lake is not None:
        made_by = f"cdcctl local run --config FILE --messages DIR --lake {request.lake}"
        lake = open_lake(request.lake, made_by=made_by)
    else:
        lake = open_lake(request.local_folder / "lake", made_by="cdcctl local up")
    if not request.config.exists():
        warning = f"no config at {request.config}: all values are masked, --reveal shows them"
        return OpenedLake(lake, None, (warning,))
    return OpenedLake(lake, load_config(request.config).pipeline)
