"""The names that the files of a pipeline give, for a shell that completes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cdcctl.operations.configuration import load_config
from cdcctl.operations.named_queries import queries_file, read_queries
from glue_job.contract.model import DeequCheck


def tables(config: Path) -> Iterator[str]:
    """Name the source tables."""
    yield from (table.name for table in load_config(config).pipeline.streamed_tables)


def rules(config: Path) -> Iterator[str]:
    """Name the rules of all tables."""
    for table in load_config(config).pipeline.streamed_tables:
        yield from (rule.id for rule in table.dq_rules)


def checks(config: Path) -> Iterator[tuple[str, DeequCheck]]:
    """Give each check with its table's name."""
    for table in load_config(config).pipeline.streamed_tables:
        yield from ((table.name, check) for check in table.deequ_checks)


def queries(chosen: Path | None, config: Path) -> Iterator[str]:
    """Name the queries of the file that `query` reads."""
    yield from (query.name for query in read_queries(queries_file(chosen, config)))
