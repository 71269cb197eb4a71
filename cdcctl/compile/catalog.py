"""Glue catalog entries: every lake table as a native Delta table that Athena reads.

Athena takes the schema from the Delta log; the columns here are for Lake Formation and views.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glue_job.contract.lake import (
    BATCH_COLUMNS,
    HISTORY_COLUMNS,
    METRIC_COLUMNS,
    METRICS_TABLE,
    QUARANTINE_COLUMNS,
    LakePaths,
)
from glue_job.contract.model import Pipeline, Table

BATCHES_TABLE = "batches"


def catalog_entries(pipeline: Pipeline) -> tuple[dict[str, Any], ...]:
    """Give a `TableInput` per lake table; ValueError when two of them would share a name."""
    paths = lake_paths(pipeline)
    entries: list[dict[str, Any]] = []
    for table in pipeline.streamed_tables:
        data = data_columns(table)
        history = table.delta_path.rstrip("/")
        quarantine = paths.quarantine(table.name)
        entries.append(
            _entry(table.name, history, data | HISTORY_COLUMNS, f"history of {table.name}")
        )
        entries.append(
            _entry(
                f"{table.name}_quarantine",
                quarantine,
                data | QUARANTINE_COLUMNS,
                f"refused rows of {table.name}",
            )
        )
    entries.append(_entry(METRICS_TABLE, paths.metrics, METRIC_COLUMNS, "data quality metrics"))
    entries.append(_entry(BATCHES_TABLE, paths.batches, BATCH_COLUMNS, "what each batch consumed"))
    _refuse_shared_names(entries)
    return tuple(entries)


def lake_paths(pipeline: Pipeline) -> LakePaths:
    """Give where the lake's tables lie on S3; placeholders stay in the paths."""
    return LakePaths(
        delta=_as_uri(pipeline.settings.delta_bucket),
        quarantine_root=_as_uri(pipeline.settings.quarantine_path),
    )


def data_columns(table: Table) -> dict[str, str]:
    """Give a table's data columns with the types of the Glue catalog."""
    return {column.name: column.type.spark_ddl for column in table.schema}


def _entry(name: str, location: str, columns: Mapping[str, str], text: str) -> dict[str, Any]:
    return {
        "Name": name.lower(),
        "Description": text,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "spark.sql.sources.provider": "delta"},
        "StorageDescriptor": {
            "Location": f"{location}/",
            "Columns": [{"Name": column, "Type": kind} for column, kind in columns.items()],
            "SerdeInfo": {"Parameters": {"serialization.format": "1", "path": f"{location}/"}},
        },
    }


def _as_uri(path: str) -> str:
    bare = path.rstrip("/")
    return bare if "://" in bare else f"s3://{bare}"


def _refuse_shared_names(entries: list[dict[str, Any]]) -> None:
    seen: dict[str, str] = {}
    for entry in entries:
        name, text = entry["Name"], entry["Description"]
        if name in seen:
            raise ValueError(f"catalog table `{name}` would be both {seen[name]} and {text}")
        seen[name] = text
