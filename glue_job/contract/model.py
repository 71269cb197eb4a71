"""tables.yaml as frozen dataclasses: a field is named as its YAML key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from glue_job.contract.types import DataType

Severity = Literal["error", "warning"]
Operation = Literal["insert", "update", "load"]
ALL_OPERATIONS: frozenset[Operation] = frozenset(("insert", "update", "load"))


@dataclass(frozen=True)
class Column:
    """One column of a table; `type` is what the lake holds, `source_type` what PostgreSQL holds."""

    name: str
    type: DataType
    nullable: bool = True
    pii: bool = False
    source_type: str | None = None


@dataclass(frozen=True)
class DqRule:
    """A row check: `type` and `params` name the rule class, the rest is how it is applied."""

    id: str
    type: str
    column: str
    params: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity = "error"
    nulls: Literal["pass", "fail"] | None = None
    """None leaves the verdict on NULL to the rule class (pass for all but `not_null`)."""
    operations: frozenset[Operation] = ALL_OPERATIONS


@dataclass(frozen=True)
class DeequCheck:
    """A metric measured on every batch; a value below `threshold` is a breach."""

    metric: str
    column: str | None = None
    threshold: float | None = None
    severity: Severity = "warning"
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Transform:
    """A change of one column's value after the rules; steps run by ascending `order`."""

    id: str
    type: str
    column: str
    params: Mapping[str, Any] = field(default_factory=dict)
    order: int = 0


@dataclass(frozen=True)
class Table:
    """One source table and its place in the lake."""

    name: str
    topic: str
    delta_path: str
    primary_key: tuple[str, ...]
    schema: tuple[Column, ...]
    dq_rules: tuple[DqRule, ...] = ()
    deequ_checks: tuple[DeequCheck, ...] = ()
    transforms: tuple[Transform, ...] = ()
    ignore_columns: frozenset[str] = frozenset()
    deletion_vectors: Literal["auto", "always", "never"] = "auto"
    internal: bool = False
    quarantine: Literal["full", "masked"] = "full"
    max_offsets_per_trigger: int | None = None
    sla_seconds: int | None = None

    @property
    def column_names(self) -> tuple[str, ...]:
        """Name the data columns in config order."""
        return tuple(column.name for column in self.schema)

    def column(self, name: str) -> Column:
        """Find a column; KeyError when the table has none of that name."""
        for column in self.schema:
            if column.name == name:
                return column
        raise KeyError(name)

    @property
    def ordered_transforms(self) -> tuple[Transform, ...]:
        """Give the transforms in the order they run."""
        return tuple(sorted(self.transforms, key=lambda step: step.order))


@dataclass(frozen=True)
class CircuitBreaker:
    """Stop a table when more than this ratio of at least `min_rows` rows would be refused."""

    max_quarantine_ratio: float
    min_rows: int = 100


@dataclass(frozen=True)
class Settings:
    """Pipeline-wide settings; paths may hold ${STACK_NAME} and ${AWS_ACCOUNT_ID}."""

    quarantine_path: str
    checkpoint_location: str
    delta_bucket: str
    trigger_interval_seconds: float = 15.0
    order: Literal["auto", "fallback"] = "auto"
    emission: Literal["metadata", "kafka"] = "metadata"
    circuit_breaker: CircuitBreaker | None = None


@dataclass(frozen=True)
class Kafka:
    """How the job reaches the brokers; `bootstrap_servers` may be PLACEHOLDER."""

    bootstrap_servers: str = "PLACEHOLDER"
    security_protocol: str = "SASL_SSL"
    sasl_mechanism: str = "SCRAM-SHA-512"
    sasl_username: str = "kafkaadmin"


@dataclass(frozen=True)
class SourceDatabase:
    """Where the rows come from."""

    engine: str = "postgres"
    schema_name: str = "public"


@dataclass(frozen=True)
class Pipeline:
    """The whole of one tables.yaml."""

    settings: Settings
    kafka: Kafka
    source_database: SourceDatabase
    tables: tuple[Table, ...]

    @property
    def streamed_tables(self) -> tuple[Table, ...]:
        """Give the tables that have a stream, in config order."""
        return tuple(table for table in self.tables if not table.internal)

    def table(self, name: str) -> Table:
        """Find a table; KeyError when the config has none of that name."""
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)
