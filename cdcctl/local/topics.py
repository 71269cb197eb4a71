"""Makes the topics of the local broker, as compiled from tables.yaml for a cluster of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cdcctl.errors import CdcctlError

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient


def create_topics(admin: KafkaAdminClient, topics: Sequence[Mapping[str, Any]]) -> list[str]:
    """Create the topics that are missing; give their names."""
    from kafka.admin import NewTopic
    from kafka.errors import KafkaError, TopicAlreadyExistsError

    existing = set(admin.list_topics())
    missing = [topic for topic in topics if topic["name"] not in existing]
    for topic in missing:
        try:
            admin.create_topics(
                [
                    NewTopic(
                        name=topic["name"],
                        num_partitions=topic["partitions"],
                        replication_factor=topic["replication_factor"],
                        topic_configs=dict(topic["configs"]),
                    )
                ]
            )
        except TopicAlreadyExistsError:
            continue
        except KafkaError as error:
            raise CdcctlError(
                "KFK001",
                f"topic {topic['name']} could not be made",
                why=str(error),
                fix="correct the topic's name in tables.yaml",
            ) from error
    return [topic["name"] for topic in missing]
