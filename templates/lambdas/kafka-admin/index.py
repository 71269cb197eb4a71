"""Makes and describes the topics that tables.yaml asks for, and says who may do what with them.

Event: {"action": "sync_from_config", "bucket", "key", "sha256", "dry_run", "prune",
"apply_config"}.
A topic is removed only when `prune` names it. DMS's user may write to the topics and not read
them; the job's user, which is also the one that works here, may do everything with them.
"""

import json
import os

import boto3
from artefact import Refused, answered, read_artefact
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ConfigResource,
    ConfigResourceType,
    KafkaAdminClient,
    NewTopic,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)
from kafka.errors import KafkaError

_DMS_MAY = (ACLOperation.DESCRIBE, ACLOperation.DESCRIBE_CONFIGS, ACLOperation.WRITE)


def handler(event, context):
    """Answer one event."""
    return answered(lambda: _carry_out(event))


def _carry_out(event):
    if event.get("action") != "sync_from_config":
        raise Refused(f"there is no action {event.get('action')!r}")
    artefact = read_artefact(event, boto3.client("s3"))
    wanted = {topic["name"]: _fitted(topic) for topic in artefact["topics"]}
    login = _login()
    try:
        admin = _connect(login)
    except KafkaError as error:
        raise Refused(f"the brokers do not answer: {error!r}") from error
    try:
        return {
            **_sync(admin, wanted, event),
            "granted": _grant(admin, wanted, login["username"], dry_run=event.get("dry_run")),
        }
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


def _grant(admin, wanted, owner, *, dry_run):
    """Give each topic its rights, all in one request: the first closes it to everyone else."""
    held = _rights_held(admin)
    missing = {name: [r for r in _rights(name, owner) if _key(r) not in held] for name in wanted}
    lacking = [name for name, rights in missing.items() if rights]
    if lacking and not dry_run:
        done = admin.create_acls([right for name in lacking for right in missing[name]])
        if done["failed"]:
            raise Refused(f"the brokers take no rights: {done['failed'][0].__name__}")
    return lacking


def _rights(topic, owner):
    pattern = ResourcePattern(ResourceType.TOPIC, topic, ACLResourcePatternType.LITERAL)
    may = [(owner, ACLOperation.ALL), *((os.environ["DMS_USER"], each) for each in _DMS_MAY)]
    return [
        ACL(f"User:{user}", "*", operation, ACLPermissionType.ALLOW, pattern)
        for user, operation in may
    ]


def _rights_held(admin):
    topics = ResourcePatternFilter(ResourceType.TOPIC, None, ACLResourcePatternType.LITERAL)
    every = ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ALLOW, topics)
    found, _ = admin.describe_acls(every)
    return {_key(right) for right in found}


def _key(right):
    return right.principal, right.host, right.operation, right.resource_pattern.resource_name


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


def _login():
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET_ARN"])
    return json.loads(secret["SecretString"])


def _connect(login):
    return KafkaAdminClient(
        bootstrap_servers=os.environ["BOOTSTRAP_SERVERS"].split(","),
        security_protocol=os.environ["KAFKA_SECURITY_PROTOCOL"],
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=login["username"],
        sasl_plain_password=login["password"],
        client_id="cdcctl-kafka-admin",
        bootstrap_timeout_ms=10_000,
    )
