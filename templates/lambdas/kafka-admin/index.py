"""Makes and describes the topics that tables.yaml asks for.

Event: {"action": "sync_from_config", "bucket", "key", "sha256", "dry_run", "prune",
"apply_config"}.
A topic is removed only when `prune` names it.
"""

import json
import os

import boto3
from artefact import Refused, answered, read_artefact
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import KafkaError


def handler(event, context):
    """Answer one event."""
    return answered(lambda: _carry_out(event))


def _carry_out(event):
    if event.get("action") != "sync_from_config":
        raise Refused(f"there is no action {event.get('action')!r}")
    artefact = read_artefact(event, boto3.client("s3"))
    wanted = {topic["name"]: _fitted(topic) for topic in artefact["topics"]}
    try:
        admin = _connect()
    except KafkaError as error:
        raise Refused(f"the brokers do not answer: {error!r}") from error
    try:
        return _sync(admin, wanted, event)
    except KafkaError as error:
        raise Refused(f"the brokers refused: {error!r}") from error
    finally:
        admin.close()


def _fitted(topic):
    """Fit a topic that is compiled for three brokers to a cluster that has fewer."""
    copies = min(topic["replication_factor"], int(os.environ["BROKERS"]))
    configs = {**topic["configs"], "min.insync.replicas": str(max(1, copies - 1))}
    return {**topic, "replication_factor": copies, "configs": configs}


def _sync(admin, wanted, event):
    present = {name for name in admin.list_topics() if not name.startswith("__")}
    missing = [name for name in wanted if name not in present]
    prunable = sorted(set(event.get("prune") or ()) & present - set(wanted))
    drift = _drift(admin, {name: wanted[name] for name in wanted if name in present})
    if not event.get("dry_run"):
        for name in missing:
            admin.create_topics([_new_topic(wanted[name])])
        if event.get("apply_config"):
            for each in drift:
                if each["setting"] != "partitions":
                    _set(admin, each)
        if prunable:
            admin.delete_topics(prunable)
    return {
        "created": missing,
        "unchanged": sorted(set(wanted) - set(missing) - {each["topic"] for each in drift}),
        "drift": drift,
        "unknown": sorted(present - set(wanted)),
        "pruned": prunable,
    }


def _new_topic(topic):
    return NewTopic(
        name=topic["name"],
        num_partitions=topic["partitions"],
        replication_factor=topic["replication_factor"],
        topic_configs=dict(topic["configs"]),
    )


def _drift(admin, wanted):
    if not wanted:
        return []
    found = []
    for described in admin.describe_topics(list(wanted)):
        name = described.get("name", described.get("topic"))
        partitions = len(described["partitions"])
        if partitions != wanted[name]["partitions"]:
            found.append(_difference(name, "partitions", wanted[name]["partitions"], partitions))
    for name, topic in wanted.items():
        held = _settings(admin, name)
        found += [
            _difference(name, setting, value, held[setting])
            for setting, value in topic["configs"].items()
            if setting in held and held[setting] != value
        ]
    return found


def _difference(topic, setting, wanted, found):
    return {"topic": topic, "setting": setting, "wanted": str(wanted), "found": str(found)}


def _settings(admin, topic):
    described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    topics = described.get("topic", described) if isinstance(described, dict) else described
    held = topics[topic]
    return {name: _value(value) for name, value in held.items()}


def _value(value):
    return str(value.get("value") if isinstance(value, dict) else value)


def _set(admin, difference):
    resource = ConfigResource(
        ConfigResourceType.TOPIC,
        difference["topic"],
        configs={difference["setting"]: difference["wanted"]},
    )
    admin.alter_configs([resource])


def _connect():
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET_ARN"])
    held = json.loads(secret["SecretString"])
    return KafkaAdminClient(
        bootstrap_servers=os.environ["BOOTSTRAP_SERVERS"].split(","),
        security_protocol=os.environ["KAFKA_SECURITY_PROTOCOL"],
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=held["username"],
        sasl_plain_password=held["password"],
        client_id="cdcctl-kafka-admin",
        bootstrap_timeout_ms=10_000,
    )
