"""The JSON Schema (draft-07) of tables.yaml, generated from the model and the registries.

It drives the loader (`shape.py`) and editors alike, so the two cannot disagree.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from glue_job.contract.types import SIMPLE_TYPES
from glue_job.metrics import METRICS
from glue_job.parameters import Configurable
from glue_job.registry import Registry
from glue_job.rules import RULES
from glue_job.transforms import TRANSFORMS

Schema = dict[str, Any]

IDENTIFIER = "^[a-z_][a-z0-9_]{0,62}$"
ENTRY_ID = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$"
TOPIC = "^[a-zA-Z0-9._-]{1,249}$"
STORAGE_PATH = "^s3://[^/\\s]+(/\\S*)?$"
BUCKET = "^(s3://)?[^/\\s]+/?$"
INTERVAL = "^\\s*[1-9][0-9]{0,5}\\s*(milliseconds?|seconds?|minutes?|hours?)\\s*$"
COLUMN_TYPE = f"^({'|'.join(SIMPLE_TYPES)}|decimal\\(\\s*[0-9]{{1,3}}\\s*,\\s*[0-9]{{1,3}}\\s*\\))$"

ENGINES = ("postgres", "postgresql", "aurora-postgresql")
SECURITY_PROTOCOLS = ("SASL_SSL", "SASL_PLAINTEXT", "SSL", "PLAINTEXT")
SASL_MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256")


@cache
def json_schema() -> Schema:
    """Give the schema of the whole file; treat it as read-only."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "cdcctl tables.yaml",
        "description": "A change-data-capture pipeline: tables, their rules, transforms, metrics.",
        **_closed(
            {
                "settings": _ref("settings"),
                "kafka": _ref("kafka"),
                "source_database": _ref("source_database"),
                "tables": {
                    "description": "The tables that are replicated, one topic each.",
                    "type": "array",
                    "items": _ref("table"),
                    "minItems": 1,
                },
            },
            required=("tables",),
        ),
        "definitions": {
            "identifier": _text(
                "A lower-case name: letters, digits and `_`, at most 63 characters.",
                IDENTIFIER,
                "vehicles",
            ),
            "entry_id": _text(
                "An id: letters, digits, `_`, `.` and `-`, at most 63 characters.",
                ENTRY_ID,
                "veh_001",
            ),
            "column_type": _text(
                f"What the lake holds: {', '.join(SIMPLE_TYPES)} or decimal(p,s).",
                COLUMN_TYPE,
                "decimal(10,2)",
            ),
            "topic": _text(
                "A Kafka topic: letters, digits, `.`, `_` and `-`, at most 249 characters.",
                TOPIC,
                "cdc-vehicles",
            ),
            "storage_path": _text(
                "A place in S3, like s3://bucket/prefix/.", STORAGE_PATH, "s3://bucket/prefix/"
            ),
            "bucket": _text("A bucket name.", BUCKET, "${STACK_NAME}-delta-${AWS_ACCOUNT_ID}"),
            "interval": _text("A time span, like `15 seconds`.", INTERVAL, "1 minute"),
            "settings": _settings(),
            "kafka": _kafka(),
            "source_database": _source_database(),
            "table": _table(),
            "column": _column(),
            "rule": _rule(),
            "check": _check(),
            "transform": _transform(),
        },
    }


def rendered_schema() -> str:
    """Give the text of `config/tables.schema.json`."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _settings() -> Schema:
    breaker = _closed(
        {
            "max_quarantine_ratio": {
                "description": "Stop the table when more than this share would be refused.",
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "examples": [0.2],
            },
            "min_rows": {
                "description": "Smallest batch on which the ratio is judged.",
                "type": "integer",
                "minimum": 1,
                "default": 100,
                "examples": [500],
            },
        },
        required=("max_quarantine_ratio",),
    )
    return {
        "description": "Settings of the whole pipeline.",
        **_closed(
            {
                "trigger_interval": {
                    **_ref("interval", "How often a batch starts."),
                    "default": "15 seconds",
                },
                "quarantine_path": _ref("storage_path", "Where refused rows go."),
                "checkpoint_location": _ref(
                    "storage_path", "Where the streams keep their offsets."
                ),
                "delta_bucket": _ref("bucket", "The bucket of the lake's Delta tables."),
                "order": {
                    **_choice("Which times order the events of a key.", ("auto", "fallback")),
                    "default": "auto",
                },
                "emission": {
                    **_choice("Which clock places load rows.", ("metadata", "kafka")),
                    "default": "metadata",
                },
                "circuit_breaker": {
                    "description": "Stops a table whose batches are mostly refused.",
                    **breaker,
                },
            }
        ),
    }


def _kafka() -> Schema:
    return {
        "description": "How the job reaches the brokers.",
        **_closed(
            {
                "bootstrap_servers": {
                    "description": "host:port, more of them after commas, or PLACEHOLDER.",
                    "type": "string",
                    "minLength": 1,
                    "default": "PLACEHOLDER",
                    "examples": ["b-1.example:9096,b-2.example:9096"],
                },
                "security_protocol": {
                    **_choice("Kafka's security.protocol.", SECURITY_PROTOCOLS),
                    "default": "SASL_SSL",
                },
                "sasl_mechanism": {
                    **_choice("Kafka's sasl.mechanism.", SASL_MECHANISMS),
                    "default": "SCRAM-SHA-512",
                },
                "sasl_username": {
                    "description": "The user whose secret the job reads.",
                    "type": "string",
                    "minLength": 1,
                    "default": "kafkaadmin",
                    "examples": ["fleet-job"],
                },
            }
        ),
    }


def _source_database() -> Schema:
    return {
        "description": "Where the rows come from.",
        **_closed(
            {
                "engine": {**_choice("The database engine.", ENGINES), "default": "postgres"},
                "schema_name": {
                    **_ref("identifier", "The schema that holds the tables."),
                    "default": "public",
                    "examples": ["fleet"],
                },
            }
        ),
    }


def _table() -> Schema:
    name = {"type": "string", "minLength": 1}
    return {
        "description": "One source table and its place in the lake.",
        **_closed(
            {
                "name": _ref("identifier", "The table's name in the source and in the lake."),
                "topic": _ref("topic", "The topic with its changes; `cdc-{name}` by default."),
                "delta_path": _ref("storage_path", "Where its history lies."),
                "primary_key": {
                    "description": "The key column, or a list of them.",
                    "type": ["string", "array"],
                    "minLength": 1,
                    "items": name,
                    "minItems": 1,
                    "uniqueItems": True,
                    "examples": [["trip", "leg"]],
                },
                "internal": {
                    "description": "Written by the job itself; it has no stream.",
                    "type": "boolean",
                    "default": False,
                },
                "schema": {
                    "description": "The columns.",
                    "type": "array",
                    "items": _ref("column"),
                    "minItems": 1,
                },
                "dq_rules": _list("Checks of each row before the transforms.", "rule"),
                "deequ_checks": _list("Metrics of each batch.", "check"),
                "transforms": _list("Changes of accepted rows, by ascending `order`.", "transform"),
                "history": {
                    "description": "How versions are kept.",
                    **_closed(
                        {
                            "ignore_columns": {
                                "description": "Columns whose change alone opens no version.",
                                "type": "array",
                                "items": name,
                                "uniqueItems": True,
                                "examples": [["updated_at"]],
                            },
                            "deletion_vectors": {
                                **_choice(
                                    "Whether a file of which some rows end is kept, with a list of "
                                    "these rows beside it: `auto` from 4 MB on. Read by Delta "
                                    "readers of version 3.",
                                    ("auto", "always", "never"),
                                ),
                                "default": "auto",
                            },
                        }
                    ),
                },
                "quarantine": {
                    **_choice("Whether refused rows keep their raw values.", ("full", "masked")),
                    "default": "full",
                },
                "max_offsets_per_trigger": {
                    "description": "At most so many messages in one batch.",
                    "type": "integer",
                    "minimum": 1,
                    "examples": [50000],
                },
                "sla_seconds": {
                    "description": "How old the lake may be before `status` complains.",
                    "type": "integer",
                    "minimum": 1,
                    "examples": [300],
                },
            },
            required=("name", "schema"),
        ),
        "allOf": [
            {
                "if": {"properties": {"internal": {"const": True}}, "required": ["internal"]},
                "else": {"required": ["primary_key"]},
            }
        ],
    }


def _column() -> Schema:
    return {
        "description": "One column.",
        **_closed(
            {
                "name": {
                    **_ref("identifier", "The column's name in the source and in the lake."),
                    "examples": ["speed_kmh"],
                },
                "type": _ref("column_type"),
                "nullable": {
                    "description": "Whether the column may be NULL; a key column may not.",
                    "type": "boolean",
                    "default": True,
                },
                "pii": {
                    "description": "Personal data: every view masks it.",
                    "type": "boolean",
                    "default": False,
                },
                "source_type": {
                    "description": "The PostgreSQL type, where the usual one does not fit.",
                    "type": "string",
                    "minLength": 1,
                    "examples": ["varchar(17)"],
                },
            },
            required=("name", "type"),
        ),
    }


def _rule() -> Schema:
    return {
        "description": "A check of one column of each row.",
        **_closed(
            {
                "id": _ref("entry_id", "Named in quarantine; unique in the table."),
                "type": _registered(RULES, "range"),
                "column": _column_name("The column that is checked."),
                "params": _params(),
                "severity": {
                    **_choice(
                        "`error` refuses the row, `warning` counts it.", ("error", "warning")
                    ),
                    "default": "error",
                },
                "nulls": _choice(
                    "The verdict on NULL; by default the rule's own.", ("pass", "fail")
                ),
                "operations": {
                    "description": "Which operations are checked; by default all.",
                    "type": "array",
                    "items": {"type": "string", "enum": ["insert", "update", "load"]},
                    "minItems": 1,
                    "uniqueItems": True,
                    "examples": [["insert", "load"]],
                },
            },
            required=("id", "type", "column"),
        ),
        "allOf": _params_by_name("type", RULES),
    }


def _check() -> Schema:
    return {
        "description": "A metric that Deequ measures on each batch.",
        **_closed(
            {
                "metric": _registered(METRICS, "completeness"),
                "column": _column_name("The column that is measured."),
                "params": _params(),
                "threshold": {
                    "description": "The smallest good value.",
                    "type": "number",
                    "examples": [0.95],
                },
                "severity": {
                    **_choice("How a breach is reported.", ("error", "warning")),
                    "default": "warning",
                },
            },
            required=("metric",),
        ),
        "allOf": [
            *_params_by_name("metric", METRICS),
            *(
                {"if": _when("metric", metric.type), "then": {"required": ["column"]}}
                for metric in METRICS
                if metric.needs_column
            ),
        ],
    }


def _transform() -> Schema:
    return {
        "description": "A change of one column of accepted rows.",
        **_closed(
            {
                "id": _ref("entry_id", "Named when the step fails; unique in the table."),
                "type": _registered(TRANSFORMS, "trim"),
                "column": _column_name("The column that is changed."),
                "params": _params(),
                "order": {
                    "description": "Steps run by ascending order.",
                    "type": "integer",
                    "default": 0,
                    "examples": [1],
                },
            },
            required=("id", "type", "column"),
        ),
        "allOf": _params_by_name("type", TRANSFORMS),
    }


def _params_by_name(key: str, registry: Registry[Any]) -> list[Schema]:
    """Say for each registered name what its `params` are."""
    return [
        {"if": _when(key, cls.type), "then": _then_params(cls)}
        for cls in registry
    ]  # fmt: skip


def _then_params(cls: type[Configurable]) -> Schema:
    params = cls.params.json_schema()
    must_be_given = "required" in params or "anyOf" in params
    return {
        "properties": {"params": {**params, "description": cls.summary()}},
        **({"required": ["params"]} if must_be_given else {}),
    }


def _when(key: str, name: str) -> Schema:
    return {"properties": {key: {"const": name}}, "required": [key]}


def _registered(registry: Registry[Any], example: str) -> Schema:
    summaries = "; ".join(f"{cls.type}: {cls.summary()}" for cls in registry)
    return {
        **_choice(summaries, registry.names()),
        "title": "What is done, by its name.",
        "examples": [example],
    }


def _params() -> Schema:
    return {
        "description": "Parameters; which ones depends on the name.",
        "type": "object",
        "examples": [{"min": 0, "max": 350}],
    }


def _column_name(description: str) -> Schema:
    return {
        "description": description,
        "type": "string",
        "minLength": 1,
        "examples": ["speed_kmh"],
    }


def _list(description: str, definition: str) -> Schema:
    return {"description": description, "type": "array", "items": _ref(definition)}


def _text(description: str, pattern: str, example: str) -> Schema:
    return {
        "description": description,
        "type": "string",
        "pattern": pattern,
        "examples": [example],
    }


def _choice(description: str, choices: Iterable[str]) -> Schema:
    return {"description": description, "type": "string", "enum": list(choices)}


def _closed(properties: Schema, required: Iterable[str] = ()) -> Schema:
    closed: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    names = list(required)
    if names:
        closed["required"] = names
    return closed


def _ref(definition: str, description: str = "") -> Schema:
    """Refer to a definition; draft-07 ignores keywords beside `$ref`, so it stands in allOf."""
    reference = {"$ref": f"#/definitions/{definition}"}
    return {"description": description, "allOf": [reference]} if description else reference
