"""Names of tables, topics, rules and transforms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from glue_job.contract.draft import PipelineDraft, TableDraft
from glue_job.contract.finding import Fault, Place
from glue_job.contract.lake import METRICS_TABLE, REASONS
from glue_job.contract.schema import TOPIC
from glue_job.contract.yaml_source import MappingNode, place_of, value_place

_TOPIC = re.compile(TOPIC)


def table_names_differ(pipeline: PipelineDraft) -> Iterator[Fault]:
    """A table name stands once."""
    seen: dict[str, Place] = {}
    for draft in pipeline.tables:
        name = draft.table.name
        if not name:
            continue
        place = value_place(draft.node, "name")
        if name in seen:
            message = f"a table `{name}` stands in line {seen[name].line} already"
            yield Fault("CFG022", message, place, "rename one, or remove it")
        else:
            seen[name] = place


def topics_differ(pipeline: PipelineDraft) -> Iterator[Fault]:
    """A topic is read by one table, and no two topics share Kafka's name of their metrics."""
    seen: dict[str, TableDraft] = {}
    names = set()
    for draft in pipeline.tables:
        table = draft.table
        if table.internal or not table.name or table.name in names:
            continue
        names.add(table.name)
        other = seen.setdefault(table.topic.replace(".", "_"), draft)
        if other is draft:
            continue
        place = _topic_place(draft)
        if other.table.topic == table.topic:
            message = f"topic `{table.topic}` is read by `{other.table.name}` already"
            yield Fault("CFG023", message, place, "one topic holds the changes of one table")
        else:
            message = f"topics `{table.topic}` and `{other.table.topic}` are one name to Kafka"
            help_text = "`.` and `_` are alike in its metrics and it refuses the second topic"
            yield Fault("CFG023", message, place, help_text)


def ids_differ(pipeline: PipelineDraft) -> Iterator[Fault]:
    """Ids of rules and of transforms differ: within a table they must, in a file they should."""
    for noun, lists in (
        ("rule", [(draft, draft.rules) for draft in pipeline.tables]),
        ("transform", [(draft, draft.transforms) for draft in pipeline.tables]),
    ):
        seen: dict[str, tuple[TableDraft, MappingNode]] = {}
        for draft, entries in lists:
            for node, entry in entries:
                first = seen.setdefault(entry.id, (draft, node))
                if first[1] is node:
                    continue
                line = value_place(first[1], "id").line
                message = f"{noun} id `{entry.id}` stands in line {line} already"
                place = value_place(node, "id")
                if first[0] is draft:
                    yield Fault("CFG024", message, place, "give it an id of its own")
                else:
                    help_text = f"that is in table `{first[0].table.name}`"
                    yield Fault("CFG024", message, place, help_text, "warning")


def reserved_table_name(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """Names from `_` on, and that of the metrics table, are the pipeline's own."""
    name = draft.table.name
    if not name:
        return
    place = value_place(draft.node, "name")
    if name.startswith("_"):
        yield Fault("CFG027", f"table name `{name}` begins with `_`", place, _UNDERSCORE)
    elif name == METRICS_TABLE and not draft.table.internal:
        help_text = "rename it, or set `internal: true`"
        yield Fault("CFG027", f"`{name}` is the table of the metrics", place, help_text)


_UNDERSCORE = "such names are reserved for the pipeline itself"


def topic_is_taken_as_it_reads(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """Topics that Kafka or DMS refuse, or change, are named."""
    topic = draft.table.topic
    if "topic" not in draft.node or draft.table.internal or not _TOPIC.search(topic):
        return
    place = value_place(draft.node, "topic")
    if topic in (".", ".."):
        yield Fault("CFG030", f"`{topic}` is not a topic name", place)
    elif topic.startswith("__"):
        help_text = "topics from `__` on are Kafka's own"
        yield Fault("CFG027", f"topic `{topic}` is reserved", place, help_text)
    elif topic != topic.lower():
        help_text = f"write `{topic.lower()}`"
        message = f"DMS writes to `{topic.lower()}`: it lower-cases topic names"
        yield Fault("CFG031", message, place, help_text, "warning")
    elif "." in topic and "_" in topic:
        help_text = "use `.` or `_`, not both: they are alike in the names of Kafka's metrics"
        yield Fault("CFG031", f"topic `{topic}` mixes `.` and `_`", place, help_text, "warning")


def reserved_ids(draft: TableDraft, pipeline: PipelineDraft) -> Iterable[Fault]:
    """A rule's id is not one of the reasons that the job itself gives."""
    for node, rule in draft.rules:
        if rule.id in REASONS:
            message = f"rule id `{rule.id}` is a reason the job gives itself"
            yield Fault("CFG027", message, value_place(node, "id"), "choose another id")


def _topic_place(draft: TableDraft) -> Place:
    for key in ("topic", "name"):
        if key in draft.node:
            return value_place(draft.node, key)
    return place_of(draft.node.event)
