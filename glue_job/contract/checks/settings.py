"""Settings of the whole pipeline."""

from __future__ import annotations

import re
from collections.abc import Iterator

from glue_job.contract.checks.places import placeholder_fault
from glue_job.contract.draft import PipelineDraft
from glue_job.contract.finding import Fault
from glue_job.contract.yaml_source import key_place, value_place

_BROKER = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\]):(\d{1,5})")
MAX_PORT = 65535


def brokers_have_ports(pipeline: PipelineDraft) -> Iterator[Fault]:
    """Brokers are `host:port`, or PLACEHOLDER: then the job asks AWS."""
    node = pipeline.section("kafka")
    text = node.get("bootstrap_servers")
    if type(text) is not str or text in ("", "PLACEHOLDER") or "$" in text:
        return
    for broker in text.split(","):
        match = _BROKER.fullmatch(broker.strip())
        if match is None or not 1 <= int(match[1]) <= MAX_PORT:
            message = f"`{broker.strip()}` is not host:port"
            help_text = "write PLACEHOLDER to have the job look the brokers up"
            yield Fault("CFG047", message, value_place(node, "bootstrap_servers"), help_text)
            return


def placeholders_are_known(pipeline: PipelineDraft) -> Iterator[Fault]:
    """Placeholders of the Kafka section are of the closed set."""
    node = pipeline.section("kafka")
    for key in ("bootstrap_servers", "sasl_username"):
        yield from placeholder_fault(node, key)


def schema_name_is_not_reserved(pipeline: PipelineDraft) -> Iterator[Fault]:
    """The source schema is not one of PostgreSQL's own."""
    node = pipeline.section("source_database")
    name = node.get("schema_name")
    if type(name) is str and (name.startswith("pg_") or name == "information_schema"):
        message = f"schema `{name}` is PostgreSQL's own"
        yield Fault("CFG027", message, value_place(node, "schema_name"))


def a_table_has_a_stream(pipeline: PipelineDraft) -> Iterator[Fault]:
    """At least one table is not internal."""
    if pipeline.tables and all(draft.table.internal for draft in pipeline.tables):
        place = key_place(pipeline.root, "tables")
        yield Fault(
            "CFG048", "every table is internal; nothing is replicated", place, "", "warning"
        )
