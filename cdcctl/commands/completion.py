"""What the shell completes beside commands and options: names of the files here, never of AWS."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import typer

Complete = Callable[[typer.Context, str], list[str]]


def _beginning(names: Callable[[typer.Context], Iterable[str]]) -> Complete:
    """Give what completes a word by names; a file that has a fault completes nothing."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        from cdcctl.errors import CdcctlError

        try:
            return sorted({name for name in names(ctx) if name.startswith(incomplete)})
        except CdcctlError:
            return []

    return complete


def _config(ctx: typer.Context) -> Path:
    chosen = ctx.params.get("config") or os.environ.get("CDCCTL_CONFIG")
    return Path(chosen or "config/tables.yaml")


@_beginning
def tables(ctx: typer.Context) -> Iterable[str]:
    """Name the source tables of the config."""
    from cdcctl.operations import known_names

    return known_names.tables(_config(ctx))


@_beginning
def rules(ctx: typer.Context) -> Iterable[str]:
    """Name the rules of the config."""
    from cdcctl.operations import known_names

    return known_names.rules(_config(ctx))


@_beginning
def metrics(ctx: typer.Context) -> Iterable[str]:
    """Name the metrics that the config measures."""
    from cdcctl.operations import known_names

    return (check.metric for _, check in known_names.checks(_config(ctx)))


@_beginning
def checked(ctx: typer.Context) -> Iterable[str]:
    """Name what the metric of the line is measured on, as TABLE or TABLE.COLUMN."""
    from cdcctl.operations import known_names

    metric = ctx.params.get("metric")
    return (
        f"{table}.{check.column}" if check.column else table
        for table, check in known_names.checks(_config(ctx))
        if metric in {None, check.metric}
    )


@_beginning
def queries(ctx: typer.Context) -> Iterable[str]:
    """Name the queries of the file."""
    from cdcctl.operations import known_names

    return known_names.queries(ctx.params.get("queries"), _config(ctx))


@_beginning
def stacks(_: typer.Context) -> Iterable[str]:
    """Name the stacks of cdcctl.toml."""
    from cdcctl.operations.tool_config import known_stacks

    return known_stacks(Path.cwd())


@_beginning
def kinds(_: typer.Context) -> Iterable[str]:
    """Name the rules, transforms and metrics that there are."""
    from cdcctl.operations.catalogue import catalogue

    return (entry.name for entry in catalogue())


@_beginning
def log_sources(ctx: typer.Context) -> Iterable[str]:
    """Name the parts that log: of a stack, or of the local one."""
    from cdcctl.operations.local_log_lines import PROCESSES
    from cdcctl.operations.log_lines import SOURCES

    return ("all", *(PROCESSES if ctx.params.get("local") else SOURCES))
