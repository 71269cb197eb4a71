"""Writes refused rows to a file, in batches, so that a large quarantine needs little memory."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import IO, Any

from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.lake.reader import Row
from cdcctl.operations.lakes import open_requested_lake
from cdcctl.operations.machine_values import cell, plain
from cdcctl.operations.privacy import Privacy
from cdcctl.operations.quarantine import (
    RefusedRow,
    ShowRequest,
    refused_row,
    selected,
)
from glue_job.contract.lake import QUARANTINE_COLUMNS

_TECHNICAL = (
    "_status",
    "_failed_rule",
    "_failed_rules",
    "_quarantined_at",
    "_operation",
    "_topic",
    "_partition",
    "_offset",
    "_batch_id",
    "_config_hash",
    "_raw_value",
)


class ExportFormat(StrEnum):
    """What `--format` accepts; `json` is one object a line."""

    csv = "csv"
    json = "json"
    parquet = "parquet"


@dataclass(frozen=True)
class ExportRequest:
    """Which rows, where to, and how."""

    rows: ShowRequest
    target: Path | None
    """None is stdout."""
    format: ExportFormat


@dataclass(frozen=True)
class ExportReport:
    """How many rows were written, and where."""

    table: str
    rows: int
    target: Path | None
    warnings: tuple[str, ...] = ()


def export_quarantine(request: ExportRequest) -> ExportReport:
    """Write the rows; the file appears when it is whole."""
    opened = open_requested_lake(request.rows.lake)
    opened.require_table(request.rows.table)
    refused = opened.lake.quarantine(request.rows.table)
    if refused is None:
        raise CdcctlError(
            "QUA002",
            f"nothing of {request.rows.table} was ever refused",
            fix="cdcctl quarantine stats   counts what was",
            exit_code=ExitCode.NOT_FOUND,
        )
    table = opened.table(request.rows.table)
    privacy = Privacy.of(table, reveal=request.rows.reveal)
    data = [name for name in refused.columns if name not in QUARANTINE_COLUMNS]
    sql = f"SELECT q.* FROM {selected(request.rows, refused)} ORDER BY q._quarantined_at, q._offset"
    written = _Counter()
    batches = _masked(refused.stream(sql), privacy, data, written)
    with _whole(request.target, binary=request.format is ExportFormat.parquet) as file:
        match request.format:
            case ExportFormat.csv:
                _write_csv(batches, [*data, *_TECHNICAL], file)
            case ExportFormat.json:
                _write_json(batches, file)
            case ExportFormat.parquet:
                texts = {"_status", "_failed_rules", "_raw_value", *filter(privacy.hides, data)}
                _write_parquet(batches, [*data, *_TECHNICAL], texts, file)
    return ExportReport(request.rows.table, written.rows, request.target, opened.warnings)


@dataclass
class _Counter:
    rows: int = 0


@dataclass(frozen=True)
class _Batch:
    """A batch as it lies in the lake, beside its rows as they may be shown."""

    stored: RecordBatch
    rows: list[Row]


def _masked(
    stored: Iterator[RecordBatch], privacy: Privacy, data: list[str], written: _Counter
) -> Iterator[_Batch]:
    for batch in stored:
        rows = [
            _flat(refused_row(row, privacy, ()), row, data)
            for row in batch.to_struct_array().to_pylist()
        ]
        written.rows += len(rows)
        yield _Batch(batch, rows)


def _flat(shown: RefusedRow, row: Mapping[str, Any], data: list[str]) -> Row:
    return {
        **{name: shown.values.get(name) for name in data},
        **{name: row.get(name) for name in _TECHNICAL},
        "_status": shown.status,
        "_failed_rules": [failure.as_document() for failure in shown.failures],
        "_raw_value": shown.raw,
    }


def _write_csv(batches: Iterator[_Batch], names: Sequence[str], file: IO[Any]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    for batch in batches:
        writer.writerows([cell(row[name]) for name in names] for row in batch.rows)


def _write_json(batches: Iterator[_Batch], file: IO[Any]) -> None:
    for batch in batches:
        for row in batch.rows:
            file.write(json.dumps(row, default=plain, ensure_ascii=False) + "\n")


def _write_parquet(
    batches: Iterator[_Batch], names: Sequence[str], texts: Collection[str], file: IO[Any]
) -> None:
    """Keep the columns' types where values are shown as they lie in the lake."""
    from arro3.io import write_parquet

    typed = (_typed(batch, names, texts) for batch in batches)
    first = next(typed, None)
    if first is None:
        empty = Schema([Field(name, DataType.string()) for name in names])
        write_parquet(RecordBatchReader.from_batches(empty, []), file)
    else:
        write_parquet(RecordBatchReader.from_batches(first.schema, chain([first], typed)), file)


def _typed(batch: _Batch, names: Sequence[str], texts: Collection[str]) -> RecordBatch:
    held = set(batch.stored.schema.names)
    columns: dict[str, Any] = {}
    for name in names:
        if name in held and name not in texts:
            columns[name] = batch.stored.column(name)
            continue
        values = (row[name] for row in batch.rows)
        spelled = [None if value is None else cell(value) for value in values]
        columns[name] = Array(spelled, type=DataType.string())
    return RecordBatch.from_pydict(columns)


@contextmanager
def _whole(target: Path | None, *, binary: bool) -> Iterator[IO[Any]]:
    """Open a draft beside the target that takes its place at the end; None is stdout."""
    if target is None:
        yield sys.stdout.buffer if binary else sys.stdout
        return
    draft = target.with_name(f".{target.name}.draft")
    try:
        with draft.open("wb") if binary else draft.open("w", encoding="utf-8", newline="") as file:
            yield file
        draft.replace(target)
    except OSError as error:
        raise CdcctlError(
            "QUA003",
            f"{target} cannot be written",
            why=error.strerror or str(error),
            fix="name a file in a folder that you may write, or - for stdout",
        ) from error
    finally:
        draft.unlink(missing_ok=True)
