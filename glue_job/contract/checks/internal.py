"""Tables that the job writes itself."""

from __future__ import annotations

from collections.abc import Iterator

from glue_job.contract.draft import PipelineDraft, TableDraft
from glue_job.contract.finding import Fault, did_you_mean
from glue_job.contract.lake import METRIC_COLUMNS, METRICS_TABLE
from glue_job.contract.yaml_source import key_place, value_place

METRIC_KEYS = (
    "table_name",
    "batch_id",
    "metric_name",
    "column_name",
    "metric_value",
    "threshold",
    "passed",
    "timestamp",
)
"""Columns that the metrics table cannot do without."""

_STREAM_KEYS = (
    "topic",
    "dq_rules",
    "deequ_checks",
    "transforms",
    "history",
    "quarantine",
    "max_offsets_per_trigger",
)


def columns_are_those_the_job_writes(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """The metrics table has the columns that the job writes; there is no other internal table."""
    table = draft.table
    if not table.internal or not table.name:
        return
    if table.name != METRICS_TABLE:
        message = f"the job writes no internal table `{table.name}`"
        place = value_place(draft.node, "name")
        yield Fault("CFG042", message, place, f"the only one is `{METRICS_TABLE}`")
        return
    if draft.column_names is None:
        return
    for node in draft.column_nodes:
        name = node.get("name")
        if type(name) is not str:
            continue
        if name not in METRIC_COLUMNS:
            message = f"the job writes no column `{name}` into `{METRICS_TABLE}`"
            help_text = did_you_mean(name, METRIC_COLUMNS)
            yield Fault("CFG042", message, value_place(node, "name"), help_text)
            continue
        column = draft.columns.get(name)
        written = METRIC_COLUMNS[name]
        if column is not None and column.type.spark_ddl != written:
            message = f"the job writes `{name}` as {written}, not {column.type}"
            yield Fault("CFG042", message, value_place(node, "type"), "", "warning")
    for name in METRIC_KEYS:
        if name not in draft.column_names:
            place = key_place(draft.node, "schema")
            message = f"column `{name}` of `{METRICS_TABLE}` is missing"
            yield Fault("CFG042", message, place, f"its type is {METRIC_COLUMNS[name]}")


def nothing_of_a_stream(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """An internal table has no stream, so nothing about one."""
    if not draft.table.internal:
        return
    for key in _STREAM_KEYS:
        if draft.node.get(key):
            message = f"`{key}` means nothing on an internal table"
            yield Fault("CFG043", message, key_place(draft.node, key), "remove it", "warning")
