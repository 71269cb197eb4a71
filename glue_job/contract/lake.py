"""Names of the lake's tables, columns and paths: what the job writes and every reader relies on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

OUTCOMES = (
    "applied",
    "unchanged",
    "duplicate",
    "superseded",
    "quarantined",
    "control",
    "tombstone",
)

REASONS = (
    "BAD_JSON",
    "BAD_ENVELOPE",
    "BAD_TYPE",
    "NULL_KEY",
    "NO_SEQUENCE",
    "UNKNOWN_OPERATION",
    "WRONG_TABLE",
    "RULE_ERROR",
    "TRANSFORM_ERROR",
)
"""Why a message is refused, when it is not the id of a rule of tables.yaml."""

HISTORY_COLUMNS = {
    "_effective_from": "timestamp",
    "_effective_to": "timestamp",
    "_is_current": "boolean",
    "_ingested_at": "timestamp",
}
"""Columns after the data columns in `{delta}/{table}`."""

QUARANTINE_COLUMNS = {
    "_failed_rule": "string",
    "_failed_rules": (
        "array<struct<id:string,type:string,column:string,params:string,actual:string>>"
    ),
    "_quarantined_at": "timestamp",
    "_raw_value": "string",
    "_topic": "string",
    "_topic_id": "string",
    "_partition": "int",
    "_offset": "bigint",
    "_kafka_timestamp": "timestamp",
    "_operation": "string",
    "_config_hash": "string",
    "_application_id": "string",
    "_batch_id": "bigint",
    "_status": "string",
    "_status_reason": "string",
    "_status_by": "string",
    "_status_at": "timestamp",
    "_attempts": "int",
    "_request_id": "string",
}
"""Columns after the data columns in `{quarantine}/{table}`; the first failed rule leads.

`_status` is open (also NULL, in rows of older lakes), released or discarded; `_attempts` counts the
replays that were tried.
"""

CHANGE_COLUMNS = {
    "_kind": "string",
    "_operation": "string",
    "_present": "array<string>",
    "_absent": "array<string>",
    "_extra": "map<string,string>",
    "_sequenced": "boolean",
    "_lsn": "string",
    "_record_id": "bigint",
    "_topic": "string",
    "_topic_id": "string",
    "_partition": "int",
    "_offset": "bigint",
    "_release": "int",
    "_outcome": "string",
    "_ingested_at": "timestamp",
    "_config_hash": "string",
    "_application_id": "string",
    "_batch_id": "bigint",
}
"""Columns after key, times, data columns and linked key in `{delta}/_changes/{table}`, the ledger.

`_kind` is one of `pipeline.entries`; `_outcome` is what the event did when its batch was written.
"""

LINKED = "_linked_"
"""Before a key column's name: the ledger's column for the other key of a key change."""

RELEASES = "release/"
"""Before a request's id: the application id of a release from quarantine."""

CLOSINGS = "closing/"
"""Before a request's id: the application id of the deletes of keys that a load has not brought."""

METRIC_COLUMNS = {
    "table_name": "string",
    "batch_id": "bigint",
    "metric_name": "string",
    "column_name": "string",
    "metric_value": "double",
    "threshold": "double",
    "passed": "boolean",
    "timestamp": "timestamp",
    "severity": "string",
    "rule_id": "string",
}
"""Columns of `{delta}/dq_metrics`, the internal table of tables.yaml."""

BATCH_COLUMNS = {
    "table_name": "string",
    "batch_id": "bigint",
    "processed_at": "timestamp",
    "config_hash": "string",
    "consumed": "bigint",
    **dict.fromkeys(OUTCOMES, "bigint"),
    "application_id": "string",
    "source": "string",
    "topic": "string",
    "offsets": "string",
    "history_version": "bigint",
    "watermark": "string",
}
"""Columns of `{delta}/_batches`.

`offsets` is JSON {topic id: {partition: [first, end)}}, `source` a file or `kafka`.
"""

METRICS_TABLE = "dq_metrics"


@dataclass(frozen=True)
class LakePaths:
    """Where a lake's tables lie: a folder or an s3:// prefix each for data and quarantine."""

    delta: str
    quarantine_root: str

    @classmethod
    def below(cls, lake: str) -> LakePaths:
        """Give the layout of a local lake folder."""
        root = lake.rstrip("/")
        return cls(delta=f"{root}/delta", quarantine_root=f"{root}/quarantine")

    def history(self, table: str) -> str:
        """Give the SCD2 table of a source table."""
        return f"{self.delta}/{table}"

    def changes(self, table: str) -> str:
        """Give the change ledger of a source table."""
        return f"{self.delta}/_changes/{table}"

    @property
    def batches(self) -> str:
        """Give the batch log of all tables."""
        return f"{self.delta}/_batches"

    @property
    def metrics(self) -> str:
        """Give the metrics table."""
        return f"{self.delta}/{METRICS_TABLE}"

    def quarantine(self, table: str) -> str:
        """Give the quarantine table of a source table."""
        return f"{self.quarantine_root}/{table}"


def key_of_ledger(columns: Iterable[str]) -> list[str]:
    """Tell the key that a change ledger was made for from its columns."""
    return [name.removeprefix(LINKED) for name in columns if name.startswith(LINKED)]
