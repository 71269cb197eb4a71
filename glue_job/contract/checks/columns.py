"""Columns and the primary key of a table."""

from __future__ import annotations

import re
from collections.abc import Iterator

from glue_job.contract.draft import PipelineDraft, TableDraft, data_type_of
from glue_job.contract.finding import Fault, did_you_mean, rules_command
from glue_job.contract.lake import HISTORY_COLUMNS, QUARANTINE_COLUMNS
from glue_job.contract.schema import COLUMN_TYPE
from glue_job.contract.source_types import SOURCE_TYPE_NAMES, SourceType
from glue_job.contract.types import DataType
from glue_job.contract.yaml_source import MappingNode, Node, SequenceNode, place_of, value_place

_TYPE = re.compile(COLUMN_TYPE)


def unknown_column(
    draft: TableDraft, name: str, node: Node, key: str | int, used_by: str = ""
) -> Iterator[Fault]:
    """Report a column name that the table's schema does not have."""
    names = draft.column_names
    if names is None or name in names:
        return
    message = f"column `{name}` is not in the schema of `{draft.table.name}`"
    more = rules_command(used_by) if used_by else ""
    yield Fault("CFG021", message, value_place(node, key), did_you_mean(name, names), more=more)


def names_differ(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """A column name stands once, whatever its case: Athena and Spark fold case."""
    seen: dict[str, MappingNode] = {}
    for node in draft.column_nodes:
        name = node.get("name")
        if type(name) is not str:
            continue
        first = seen.setdefault(name.lower(), node)
        if first is not node:
            line = value_place(first, "name").line
            message = f"column `{name}` stands in line {line} already"
            yield Fault("CFG025", message, value_place(node, "name"), "rename one, or remove it")


def reserved_names(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """Names from `_` on are the job's own columns."""
    for node in draft.column_nodes:
        name = node.get("name")
        if type(name) is str and name.startswith("_"):
            job_writes = name in HISTORY_COLUMNS or name in QUARANTINE_COLUMNS
            why = "the job writes a column of this name" if job_writes else "`_` is reserved"
            message = f"column name `{name}` is reserved"
            yield Fault("CFG027", message, value_place(node, "name"), why)


def types_exist(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """A decimal has a precision and scale that exist."""
    for node in draft.column_nodes:
        text = node.get("type")
        if type(text) is str and _TYPE.search(text) and data_type_of(text) is None:
            try:
                DataType.parse(text)
            except ValueError as error:
                yield Fault("CFG034", str(error), value_place(node, "type"))


def source_types_fit(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """A `source_type` is one of PostgreSQL whose values the lake type takes."""
    for node in draft.column_nodes:
        if type(node.get("source_type")) is not str or not node["source_type"]:
            continue
        place = value_place(node, "source_type")
        try:
            source = SourceType.parse(node["source_type"])
        except ValueError as error:
            known = did_you_mean(node["source_type"].partition("(")[0], SOURCE_TYPE_NAMES)
            help_text = known if "is not a PostgreSQL" in str(error) else ""
            yield Fault("CFG045", str(error), place, help_text)
            continue
        column = draft.columns.get(node.get("name", ""))
        if column is None or source.holds_in(column.type):
            continue
        if source.may_hold_in(column.type):
            message = f"{column.type} does not take every value of `{node['source_type']}`"
            yield Fault("CFG045", message, place, "the others go to quarantine", "warning")
        else:
            message = f"{column.type} takes no value of `{node['source_type']}`"
            yield Fault("CFG045", message, place, "change one of the two types")


def primary_key_is_a_key(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """Key columns exist, are never NULL, and can be compared exactly."""
    key = draft.node.get("primary_key")
    for index, name in enumerate(draft.table.primary_key):
        at: tuple[Node, str | int] = (
            (key, index) if type(key) is SequenceNode else (draft.node, "primary_key")
        )
        yield from unknown_column(draft, name, *at)
    for node in draft.column_nodes:
        if node.get("name") not in draft.table.primary_key:
            continue
        name = node["name"]
        if node.get("nullable") is True:
            message = f"`{name}` is the primary key and may be NULL"
            yield Fault("CFG028", message, value_place(node, "nullable"), "write `nullable: false`")
        column = draft.columns.get(name)
        if column is not None and column.type.name == "double":
            message = f"`{name}` is the primary key and a double: equal keys may differ"
            help_text = "use integer, long, decimal or string"
            yield Fault("CFG028", message, value_place(node, "type"), help_text, "warning")


def ignored_columns_leave_history(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """Ignored columns exist and are no keys, and some column is left that opens versions."""
    history = draft.node.get("history")
    listed = history.get("ignore_columns") if type(history) is MappingNode else None
    if type(listed) is not SequenceNode:
        return
    for index, name in enumerate(listed):
        if type(name) is not str:
            continue
        yield from unknown_column(draft, name, listed, index)
        if name in draft.table.primary_key:
            message = f"`{name}` is the primary key; it cannot be ignored"
            yield Fault("CFG044", message, value_place(listed, index), "remove it here")
    names = draft.column_names
    tracked = (names or frozenset()) - set(draft.table.primary_key) - draft.table.ignore_columns
    if listed and names and not tracked and names - set(draft.table.primary_key):
        message = f"every column of `{draft.table.name}` is ignored; an update opens no version"
        yield Fault("CFG044", message, place_of(listed.event), "", "warning")
