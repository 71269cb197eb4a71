"""Kafka topics: one per streamed table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glue_job.contract.model import Pipeline

PARTITIONS = 3
BROKERS = 3
RETENTION_DAYS = 7
MAX_MESSAGE_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True)
class Topic:
    """A topic as it should be; `configs` are Kafka's topic settings."""

    name: str
    partitions: int
    replication_factor: int
    configs: Mapping[str, str]

    def as_document(self) -> dict[str, Any]:
        """Give the topic as plain data."""
        return {
            "name": self.name,
            "partitions": self.partitions,
            "replication_factor": self.replication_factor,
            "configs": dict(self.configs),
        }


def topics(pipeline: Pipeline, brokers: int = BROKERS) -> tuple[Topic, ...]:
    """Give the topics of a cluster of `brokers`; tables that share a topic share one entry.

    A job that is down for a week still finds its rows; one of three brokers may fail without loss.
    """
    replication = min(brokers, 3)
    configs = {
        "cleanup.policy": "delete",
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "min.insync.replicas": str(max(1, replication - 1)),
        "retention.ms": str(RETENTION_DAYS * 24 * 3600 * 1000),
    }
    names = dict.fromkeys(table.topic for table in pipeline.streamed_tables)
    return tuple(Topic(name, PARTITIONS, replication, configs) for name in names)
