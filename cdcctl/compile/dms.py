"""AWS DMS: table mappings, task settings and endpoint settings.

Facts about DMS come from its user guide (Kafka target, PostgreSQL source, task settings).
"""

from __future__ import annotations

import json
from typing import Any

from cdcctl.compile.topics import MAX_MESSAGE_BYTES
from glue_job.contract.model import Kafka, Pipeline, Table

MAX_MAPPING_BYTES = 2_000_000
"""DMS processes table mappings of up to 2 MB (DMS user guide, selection rules)."""
MAX_LOB_KILOBYTES = 63
"""Limited LOB mode slows down above this size."""


def table_mappings(pipeline: Pipeline) -> dict[str, Any]:
    """Select every streamed table and send each to its own topic; ValueError above DMS's limit.

    Transformation rules are left out: a Kafka target does not support them beside object mapping.
    """
    schema = pipeline.source_database.schema_name
    rules: list[dict[str, Any]] = []
    for table in pipeline.streamed_tables:
        rules.append(_selection(schema, table, len(rules) + 1))
        rules.append(_object_mapping(schema, table, len(rules) + 1))
    size = len(json.dumps(rules, separators=(",", ":")).encode())
    if size > MAX_MAPPING_BYTES:
        raise ValueError(
            f"the table mappings have {size:,} bytes and DMS takes {MAX_MAPPING_BYTES:,}:"
            " split the tables over two stacks"
        )
    return {"rules": rules}


def _selection(schema: str, table: Table, rule_id: int) -> dict[str, Any]:
    return {
        "rule-type": "selection",
        "rule-id": str(rule_id),
        "rule-name": f"select-{table.name}",
        "rule-action": "explicit",
        "object-locator": {"schema-name": schema, "table-name": table.name},
        "filters": [],
    }


def _object_mapping(schema: str, table: Table, rule_id: int) -> dict[str, Any]:
    return {
        "rule-type": "object-mapping",
        "rule-id": str(rule_id),
        "rule-name": f"topic-{table.name}",
        "rule-action": "map-record-to-record",
        "object-locator": {"schema-name": schema, "table-name": table.name},
        "kafka-target-topic": table.topic,
        # DMS would write a topic's name in lower case.
        "disable-kafka-topic-normalization": True,
        # One partition holds all changes of a table, so they arrive in the order of their commits;
        # by primary key, a changed key would move its row to another partition.
        "mapping-parameters": {"partition-key-type": "schema-table"},
    }


def task_settings() -> dict[str, Any]:
    """Give the replication task's settings."""
    return {
        "TargetMetadata": {
            "TargetSchema": "",
            "SupportLobs": True,
            "FullLobMode": False,
            "LimitedSizeLobMode": True,
            "LobMaxSize": MAX_LOB_KILOBYTES,
            # Batch apply loses rows on a Kafka target.
            "BatchApplyEnabled": False,
            "ParallelApplyThreads": 0,
        },
        "FullLoadSettings": {
            "TargetTablePrepMode": "DO_NOTHING",
            "CreatePkAfterFullLoad": False,
            "StopTaskCachedChangesApplied": False,
            "StopTaskCachedChangesNotApplied": False,
            "MaxFullLoadSubTasks": 8,
            "TransactionConsistencyTimeout": 600,
            "CommitRate": 10000,
        },
        # The only way to see that a primary key changed.
        "BeforeImageSettings": {
            "EnableBeforeImage": True,
            "FieldName": "before-image",
            "ColumnFilter": "pk-only",
        },
        "ChangeProcessingDdlHandlingPolicy": {
            "HandleSourceTableDropped": True,
            "HandleSourceTableTruncated": True,
            "HandleSourceTableAltered": True,
        },
        "Logging": {
            "EnableLogging": True,
            "EnableLogContext": True,
            "LogComponents": [
                {"Id": component, "Severity": "LOGGER_SEVERITY_DEFAULT"}
                for component in (
                    "SOURCE_UNLOAD",
                    "SOURCE_CAPTURE",
                    "TARGET_LOAD",
                    "TARGET_APPLY",
                    "TASK_MANAGER",
                )
            ],
        },
        # A row is never skipped: its table stops and a reload brings the row back; others go on.
        "ErrorBehavior": {
            "DataErrorPolicy": "SUSPEND_TABLE",
            "DataTruncationErrorPolicy": "SUSPEND_TABLE",
            "DataErrorEscalationPolicy": "SUSPEND_TABLE",
            "TableErrorPolicy": "SUSPEND_TABLE",
            "TableErrorEscalationPolicy": "STOP_TASK",
            "RecoverableErrorCount": -1,
            "RecoverableErrorInterval": 5,
            "RecoverableErrorThrottling": True,
            "RecoverableErrorThrottlingMax": 1800,
            "FailOnNoTablesCaptured": True,
            "FailOnTransactionConsistencyBreached": True,
            "FullLoadIgnoreConflicts": True,
        },
        "ValidationSettings": {"EnableValidation": False},
    }


def source_settings() -> dict[str, Any]:
    """Give the PostgreSQL endpoint's settings."""
    return {
        # pglogical does not send old values under REPLICA IDENTITY FULL.
        "PluginName": "test-decoding",
        # An idle database would hold its write-ahead log back for ever.
        "HeartbeatEnable": True,
        "HeartbeatFrequency": 5,
        "CaptureDdls": False,
        "FailTasksOnLobTruncation": True,
    }


def target_settings(kafka: Kafka) -> dict[str, Any]:
    """Give the Kafka endpoint's settings, without brokers and secrets."""
    return {
        "MessageFormat": "json-unformatted",
        "MessageMaxBytes": MAX_MESSAGE_BYTES // 2,
        # Commit time, stream position and record id give the order of changes.
        "IncludeTransactionDetails": True,
        "IncludePartitionValue": True,
        # Without it a column set to null and a column that is not there look alike.
        "IncludeNullAndEmpty": True,
        "IncludeControlDetails": True,
        "IncludeTableAlterOperations": True,
        "PartitionIncludeSchemaTable": True,
        "NoHexPrefix": False,
        # Integers would pass through a double; ModifyEndpoint sets it, CloudFormation cannot.
        "UseLargeIntegerValue": True,
        "SecurityProtocol": kafka.security_protocol.lower().replace("_", "-"),
        "SaslMechanism": kafka.sasl_mechanism.lower(),
        "SslEndpointIdentificationAlgorithm": "https",
        "SaslUsername": kafka.sasl_username,
    }


def endpoint_settings(pipeline: Pipeline) -> dict[str, Any]:
    """Give both endpoints' settings under the names of the DMS API."""
    return {
        "PostgreSQLSettings": source_settings(),
        "KafkaSettings": target_settings(pipeline.kafka),
    }
