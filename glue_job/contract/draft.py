"""The model as far as a file allows it: sound parts are built, broken ones are left out.

Checks run on drafts, so that one broken rule does not hide what is wrong elsewhere. Where nothing
is broken the draft's pipeline is the pipeline.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from glue_job.contract.model import (
    ALL_OPERATIONS,
    CircuitBreaker,
    Column,
    DeequCheck,
    DqRule,
    Kafka,
    Pipeline,
    Settings,
    SourceDatabase,
    Table,
    Transform,
)
from glue_job.contract.types import DataType
from glue_job.contract.yaml_source import MappingNode, SequenceNode

DEFAULT_DELTA_BUCKET = "${STACK_NAME}-delta-${AWS_ACCOUNT_ID}"
DEFAULT_QUARANTINE_PATH = "s3://${STACK_NAME}-quarantine-${AWS_ACCOUNT_ID}/"
DEFAULT_CHECKPOINT_LOCATION = "s3://${STACK_NAME}-assets-${AWS_ACCOUNT_ID}/checkpoints/"

_SECONDS = {"millisecond": 0.001, "second": 1.0, "minute": 60.0, "hour": 3600.0}
_INTERVAL = re.compile(r"\s*(\d+)\s*([a-z]+?)s?\s*")
_NO_PARAMS: Mapping[str, Any] = {}


@dataclass(frozen=True)
class TableDraft:
    """One table entry: its node, the model of its sound parts, and the node of each part."""

    node: MappingNode
    table: Table
    columns: Mapping[str, Column]
    """Sound columns by name."""
    column_names: frozenset[str] | None
    """All names of the schema, broken columns included; None when they are not known."""
    column_nodes: tuple[MappingNode, ...]
    rules: tuple[tuple[MappingNode, DqRule], ...]
    checks: tuple[tuple[MappingNode, DeequCheck], ...]
    transforms: tuple[tuple[MappingNode, Transform], ...]


@dataclass(frozen=True)
class PipelineDraft:
    """A whole file: its root, the drafts of its tables, and the model of its sound parts."""

    root: MappingNode
    tables: tuple[TableDraft, ...]
    pipeline: Pipeline

    def section(self, name: str) -> MappingNode:
        """Give a section of the root; empty when the file has none."""
        return _mapping(self.root, name)


def draft_of(root: Any, broken: set[int]) -> PipelineDraft:
    """Build what can be built; `broken` holds the ids of mappings with an error in them."""
    if not isinstance(root, MappingNode):
        root = MappingNode()
        root.places = {}
    settings = _settings(_mapping(root, "settings"))
    tables = tuple(_table(node, broken, settings) for node in _mappings(root, "tables"))
    pipeline = Pipeline(
        settings=settings,
        kafka=_kafka(_mapping(root, "kafka")),
        source_database=_source_database(_mapping(root, "source_database")),
        tables=tuple(draft.table for draft in tables),
    )
    return PipelineDraft(root, tables, pipeline)


def _settings(node: MappingNode) -> Settings:
    breaker = _mapping(node, "circuit_breaker")
    ratio = breaker.get("max_quarantine_ratio")
    bucket = _text(node, "delta_bucket", DEFAULT_DELTA_BUCKET)
    return Settings(
        quarantine_path=_text(node, "quarantine_path", DEFAULT_QUARANTINE_PATH),
        checkpoint_location=_text(node, "checkpoint_location", DEFAULT_CHECKPOINT_LOCATION),
        delta_bucket=bucket.removeprefix("s3://").rstrip("/"),
        trigger_interval_seconds=_seconds(_text(node, "trigger_interval", "15 seconds")),
        order="fallback" if node.get("order") == "fallback" else "auto",
        emission="kafka" if node.get("emission") == "kafka" else "metadata",
        circuit_breaker=CircuitBreaker(float(ratio), _whole(breaker, "min_rows") or 100)
        if isinstance(ratio, int | float)
        else None,
    )


def _kafka(node: MappingNode) -> Kafka:
    given = Kafka()
    return Kafka(
        bootstrap_servers=_text(node, "bootstrap_servers", given.bootstrap_servers),
        security_protocol=_text(node, "security_protocol", given.security_protocol),
        sasl_mechanism=_text(node, "sasl_mechanism", given.sasl_mechanism),
        sasl_username=_text(node, "sasl_username", given.sasl_username),
    )


def _source_database(node: MappingNode) -> SourceDatabase:
    given = SourceDatabase()
    return SourceDatabase(
        engine=_text(node, "engine", given.engine),
        schema_name=_text(node, "schema_name", given.schema_name),
    )


def _table(node: MappingNode, broken: set[int], settings: Settings) -> TableDraft:
    name = _text(node, "name", "")
    internal = node.get("internal") is True
    primary_key = _primary_key(node)
    column_nodes = tuple(_mappings(node, "schema"))
    columns: dict[str, Column] = {}
    for column_node in column_nodes:
        column = None if id(column_node) in broken else _column(column_node, primary_key)
        if column is not None:
            columns.setdefault(column.name, column)
    rules = tuple(_sound(node, "dq_rules", broken, _rule))
    checks = tuple(_sound(node, "deequ_checks", broken, _check))
    transforms = tuple(_sound(node, "transforms", broken, _transform))
    history = _mapping(node, "history")
    default_path = f"s3://{settings.delta_bucket}/{name}/"
    table = Table(
        name=name,
        topic="" if internal else _text(node, "topic", f"cdc-{name}"),
        delta_path=_text(node, "delta_path", default_path),
        primary_key=primary_key,
        schema=tuple(columns.values()),
        dq_rules=tuple(rule for _, rule in rules),
        deequ_checks=tuple(check for _, check in checks),
        transforms=tuple(transform for _, transform in transforms),
        ignore_columns=frozenset(texts(history.get("ignore_columns"))),
        deletion_vectors=_deletion_vectors(history),
        internal=internal,
        quarantine="masked" if node.get("quarantine") == "masked" else "full",
        max_offsets_per_trigger=_whole(node, "max_offsets_per_trigger"),
        sla_seconds=_whole(node, "sla_seconds"),
    )
    named = frozenset(each["name"] for each in column_nodes if type(each.get("name")) is str)
    return TableDraft(
        node=node,
        table=table,
        columns=columns,
        column_names=named if column_nodes else None,
        column_nodes=column_nodes,
        rules=rules,
        checks=checks,
        transforms=transforms,
    )


def _deletion_vectors(history: MappingNode) -> Literal["auto", "always", "never"]:
    match history.get("deletion_vectors"):
        case "always":
            return "always"
        case "never":
            return "never"
        case _:
            return "auto"


def _sound(node: MappingNode, key: str, broken: set[int], build: Any) -> Iterable[Any]:
    """Pair the unbroken entries of a list with their models."""
    for entry in _mappings(node, key):
        if id(entry) not in broken:
            yield entry, build(entry)


def _column(node: MappingNode, primary_key: tuple[str, ...]) -> Column | None:
    """Build a column; None when its type is of the right form but does not exist."""
    name = node["name"]
    data_type = data_type_of(node["type"])
    if data_type is None:
        return None
    return Column(
        name,
        data_type,
        node.get("nullable", name not in primary_key),
        node.get("pii", False),
        node.get("source_type"),
    )


_DATA_TYPES: dict[str, DataType | None] = {}


def data_type_of(text: str) -> DataType | None:
    """Read a column type, once per spelling; None when it does not exist."""
    if text not in _DATA_TYPES:
        try:
            _DATA_TYPES[text] = DataType.parse(text)
        except ValueError:
            _DATA_TYPES[text] = None
    return _DATA_TYPES[text]


def _rule(node: MappingNode) -> DqRule:
    operations = node.get("operations")
    return DqRule(
        node["id"],
        node["type"],
        node["column"],
        _params(node),
        node.get("severity", "error"),
        node.get("nulls"),
        ALL_OPERATIONS if operations is None else frozenset(operations),
    )


def _check(node: MappingNode) -> DeequCheck:
    return DeequCheck(
        node["metric"],
        node.get("column"),
        node.get("threshold"),
        node.get("severity", "warning"),
        _params(node),
    )


def _transform(node: MappingNode) -> Transform:
    return Transform(
        node["id"],
        node["type"],
        node["column"],
        _params(node),
        node.get("order", 0),
    )


def _primary_key(node: MappingNode) -> tuple[str, ...]:
    key = node.get("primary_key")
    return (key,) if type(key) is str else tuple(texts(key))


def _seconds(interval: str) -> float:
    match = _INTERVAL.fullmatch(interval)
    return float(match[1]) * _SECONDS.get(match[2], 1.0) if match else 15.0


def texts(value: Any) -> list[str]:
    """Give the texts of a list; nothing when it is none."""
    return [each for each in value if type(each) is str] if type(value) is SequenceNode else []


def _text(node: MappingNode, key: str, default: str) -> str:
    value = node.get(key)
    return value if type(value) is str else default


def _whole(node: MappingNode, key: str) -> int | None:
    value = node.get(key)
    return value if type(value) is int else None


def _mapping(node: MappingNode, key: str) -> MappingNode:
    value = node.get(key)
    if type(value) is MappingNode:
        return value
    empty = MappingNode()
    empty.places = {}
    return empty


def _mappings(node: MappingNode, key: str) -> list[MappingNode]:
    value = node.get(key)
    if type(value) is not SequenceNode:
        return []
    return [each for each in value if type(each) is MappingNode]


def _params(node: MappingNode) -> Mapping[str, Any]:
    """Give the parameters as plain values: the model outlives the parser's events."""
    params = node.get("params")
    if not params:
        return _NO_PARAMS
    return {
        key: list(value) if type(value) is SequenceNode else value for key, value in params.items()
    }
