"""Writes small real Delta lakes as the job lays them out, through the embedded engine's SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from deltalake import CommitProperties, QueryBuilder, Transaction, write_deltalake

from glue_job.contract.lake import (
    BATCH_COLUMNS,
    CHANGE_COLUMNS,
    HISTORY_COLUMNS,
    METRIC_COLUMNS,
    OUTCOMES,
    QUARANTINE_COLUMNS,
    LakePaths,
)

CONFIG = """\
settings:
  trigger_interval: 15 seconds
  quarantine_path: "s3://${STACK_NAME}-quarantine-${AWS_ACCOUNT_ID}/"
  checkpoint_location: "s3://${STACK_NAME}-assets-${AWS_ACCOUNT_ID}/checkpoints/"
  delta_bucket: "s3://${STACK_NAME}-delta-${AWS_ACCOUNT_ID}/"
kafka: {bootstrap_servers: PLACEHOLDER}
source_database: {engine: postgres, schema_name: public}
tables:
  - name: vehicles
    primary_key: id
    schema:
      - {name: id, type: integer, nullable: false}
      - {name: speed_kmh, type: double}
      - {name: price, type: "decimal(10,2)"}
      - {name: owner, type: string, pii: true}
      - {name: phone, type: string}
    dq_rules:
      - {id: veh_001, type: range, column: speed_kmh, params: {min: 0, max: 350}}
    transforms:
      - {id: veh_tx_001, type: mask_pii, column: phone, params: {visible_chars: 4}, order: 1}
  - name: legs
    primary_key: [trip, leg]
    schema:
      - {name: trip, type: string, nullable: false}
      - {name: leg, type: integer, nullable: false}
      - {name: status, type: string}
"""

VEHICLES = {
    "id": "int",
    "speed_kmh": "double",
    "price": "decimal(10,2)",
    "owner": "string",
    "phone": "string",
}
LEGS = {"trip": "string", "leg": "int", "status": "string"}


def failure(
    rule: str, kind: str, column: str | None, params: Mapping[str, object], actual: str | None
) -> dict[str, str | None]:
    """Give one entry of `_failed_rules`."""
    return {
        "id": rule,
        "type": kind,
        "column": column,
        "params": json.dumps(params),
        "actual": actual,
    }


def refused(
    offset: int,
    at: str,
    failures: Sequence[Mapping[str, str | None]],
    raw: str | None,
    **values: object,
) -> dict[str, object]:
    """Give one row of the quarantine of `vehicles`."""
    return {
        **values,
        **dict.fromkeys(QUARANTINE_COLUMNS),
        "_failed_rule": failures[0]["id"],
        "_failed_rules": list(failures),
        "_quarantined_at": at,
        "_raw_value": raw,
        "_topic": "cdc-vehicles",
        "_partition": 0,
        "_offset": offset,
        "_operation": "insert",
        "_config_hash": "9f31c2",
        "_batch_id": 3,
    }


def write_quarantine(
    lake: Path,
    rows: Sequence[Mapping[str, object]],
    table: str = "vehicles",
    columns: Mapping[str, str] = VEHICLES,
) -> None:
    """Append refused rows of a table."""
    _append(LakePaths.below(str(lake)).quarantine(table), {**columns, **QUARANTINE_COLUMNS}, rows)


def write_refused(
    lake: Path,
    table: str,
    columns: Mapping[str, str],
    failures: Sequence[Mapping[str, str | None]],
) -> None:
    """Append one refused row, whose values are not known, to the quarantine of any table."""
    write_quarantine(lake, [refused(1, "2026-11-22T10:00:00Z", failures, "{}")], table, columns)


def write_batches(lake: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Append records to the batch log."""
    _append(LakePaths.below(str(lake)).batches, BATCH_COLUMNS, rows)


def batch(table: str, number: int, **counts: object) -> dict[str, object]:
    """Give one record of the batch log."""
    return {
        **dict.fromkeys(BATCH_COLUMNS),
        **dict.fromkeys(OUTCOMES, 0),
        "table_name": table,
        "batch_id": number,
        "processed_at": "2026-11-22T12:00:00Z",
        **counts,
    }


def write_history(
    lake: Path, table: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, object]]
) -> None:
    """Append versions to a table's history."""
    _append(LakePaths.below(str(lake)).history(table), {**columns, **HISTORY_COLUMNS}, rows)


def write_changes(
    lake: Path,
    table: str,
    key: Mapping[str, str],
    columns: Mapping[str, str],
    rows: Sequence[Mapping[str, object]],
) -> None:
    """Append entries to a table's change ledger."""
    times = {"_time": "timestamp", "_emitted_at": "timestamp"}
    links = {f"_linked_{name}": kind for name, kind in key.items()}
    _append(
        LakePaths.below(str(lake)).changes(table),
        {**columns, **times, **links, **CHANGE_COLUMNS},
        rows,
    )


def entry(
    offset: int, operation: str, at: str, outcome: str = "applied", **values: object
) -> dict[str, object]:
    """Give one entry of a change ledger."""
    return {
        **dict.fromkeys(CHANGE_COLUMNS),
        **values,
        "_kind": "delete" if operation == "delete" else "upsert",
        "_operation": operation,
        "_present": [name for name in values if not name.startswith("_")],
        "_absent": [],
        "_time": at,
        "_emitted_at": at,
        "_sequenced": True,
        "_lsn": f"{offset:08}",
        "_record_id": 1,
        "_topic": "cdc-vehicles",
        "_partition": 0,
        "_offset": offset,
        "_release": 0,
        "_outcome": outcome,
        "_ingested_at": at,
        "_application_id": "local-run",
        "_batch_id": 3,
    }


def write_metrics(lake: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Append measurements."""
    _append(LakePaths.below(str(lake)).metrics, METRIC_COLUMNS, rows)


def version(since: str, until: str | None, **values: object) -> dict[str, object]:
    """Give one row of a history."""
    return {
        **values,
        "_effective_from": since,
        "_effective_to": until,
        "_is_current": until is None,
        "_ingested_at": "2026-11-22T12:00:00Z",
    }


def measurement(batch: int, metric: str, value: float, **others: object) -> dict[str, object]:
    """Give one row of the metrics table; each batch is a minute."""
    return {
        **dict.fromkeys(METRIC_COLUMNS),
        "table_name": "vehicles",
        "batch_id": batch,
        "metric_name": metric,
        "metric_value": value,
        "timestamp": f"2026-11-22T10:{batch:02}:00Z",
        "severity": "warning",
        **others,
    }


def _append(path: str, columns: Mapping[str, str], rows: Sequence[Mapping[str, object]]) -> None:
    selected = " UNION ALL ".join(
        "SELECT "
        + ", ".join(f'{_sql(row.get(name), kind)} AS "{name}"' for name, kind in columns.items())
        for row in rows
    )
    written_by = CommitProperties(app_transactions=[Transaction("local-run", 3)])
    write_deltalake(
        path, QueryBuilder().execute(selected), mode="append", commit_properties=written_by
    )


def _sql(value: object, kind: str) -> str:
    if kind == "array<string>":
        assert isinstance(value, list)
        texts = ", ".join(_sql(each, "string") for each in value)
        made = f"make_array({texts})" if value else "NULL"
        return f"arrow_cast({made}, 'List(Utf8)')"
    if kind.startswith("map"):
        return "NULL"
    if kind.startswith("array"):
        assert isinstance(value, list)
        return f"make_array({', '.join(_struct(each) for each in value)})"
    text = "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"
    match kind:
        case "timestamp":
            return f"arrow_cast({text}, 'Timestamp(Microsecond, Some(\"UTC\"))')"
        case "string":
            return f"CAST({text} AS VARCHAR)"
        case _:
            return f"CAST({text} AS {kind.upper()})"


def _struct(failed: Mapping[str, object]) -> str:
    fields = (f"'{name}', {_sql(value, 'string')}" for name, value in failed.items())
    return f"named_struct({', '.join(fields)})"
