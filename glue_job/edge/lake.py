"""The lake of one table: what a batch reads, and its writes in the order a crash demands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from delta.tables import DeltaMergeBuilder, DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from glue_job import failpoints, session
from glue_job.contract.lake import (
    BATCH_COLUMNS,
    CHANGE_COLUMNS,
    HISTORY_COLUMNS,
    METRIC_COLUMNS,
    OUTCOMES,
    QUARANTINE_COLUMNS,
    RELEASES,
    LakePaths,
    key_of_ledger,
)
from glue_job.contract.model import Table
from glue_job.edge import commit, delta
from glue_job.edge.batch_log import BatchLog
from glue_job.edge.deequ import measure
from glue_job.edge.delta import WriteId
from glue_job.edge.replace import SMALL_FILE_BYTES, replace_rows
from glue_job.errors import JobError
from glue_job.pipeline.entries import linked
from glue_job.pipeline.past import release
from glue_job.pipeline.report import (
    Batch,
    BatchReport,
    Measured,
    Offsets,
    Recorded,
    Release,
    Watermark,
)
from glue_job.requests import Request
from glue_job.stopwatch import Stopwatch

_LEDGERED = ("applied", "unchanged", "superseded", "duplicate")
"""Outcomes of accepted events: such a batch ends with a commit to history."""

_MARKED_FROM = {"auto": SMALL_FILE_BYTES, "always": 0, "never": None}
"""From how many bytes on a file keeps the rows that end, by `history.deletion_vectors`."""


class TableLake:
    """The Delta tables of one source table, read and written by one session."""

    def __init__(
        self,
        spark: SparkSession,
        paths: LakePaths,
        table: Table,
        guard: Callable[[], None] = lambda: None,
    ) -> None:
        """Name the lake; nothing is read or written yet.

        `guard` raises when this process may not write any more; it is asked before each commit.
        """
        self._guard = guard
        self.spark = spark
        self.paths = paths
        self.table = table
        self.log = BatchLog(paths.batches, table.name)
        self.stopwatch = Stopwatch()

    # -- layout

    def data_columns(self) -> dict[str, str]:
        """Give the data columns with their Spark types."""
        return {column.name: column.type.spark_ddl for column in self.table.schema}

    def ledger_columns(self) -> dict[str, str]:
        """Give the columns of the change ledger, those that are looked up by first."""
        key = {name: self.data_columns()[name] for name in self.table.primary_key}
        times = {"_time": "timestamp", "_emitted_at": "timestamp"}
        links = {linked(name): kind for name, kind in key.items()}
        return {**key, **times, **self.data_columns(), **links, **CHANGE_COLUMNS}

    def history_columns(self) -> dict[str, str]:
        """Give the columns of the SCD2 table."""
        return {**self.data_columns(), **HISTORY_COLUMNS, "_unknown": "array<string>"}

    def create(self) -> None:
        """Make the tables that are not there yet."""
        key = list(self.table.primary_key)
        delta.create(
            self.spark,
            self.paths.history(self.table.name),
            self.history_columns(),
            partition_by=["_is_current"],
            indexed=[*key, "_effective_from", "_effective_to"],
        )
        delta.create(
            self.spark,
            self.paths.changes(self.table.name),
            self.ledger_columns(),
            indexed=[*key, "_time", "_emitted_at", "_batch_id", "_partition", "_offset"],
        )
        delta.create(
            self.spark,
            self.paths.quarantine(self.table.name),
            {**self.data_columns(), **QUARANTINE_COLUMNS},
            indexed=["_quarantined_at", "_failed_rule", "_partition", "_offset", "_batch_id"],
        )
        delta.create(self.spark, self.paths.batches, BATCH_COLUMNS)
        delta.create(self.spark, self.paths.metrics, METRIC_COLUMNS)

    def contradictions(self) -> list[JobError]:
        """Compare the lake's columns with the config: retyped columns and another key."""
        path = self.paths.history(self.table.name)
        if not delta.exists(self.spark, path):
            return []
        found = []
        held = delta.columns_of(self.spark, path)
        for name, kind in self.data_columns().items():
            if name in held and held[name] != kind:
                found.append(
                    JobError(
                        code="LAK010",
                        what=f"column `{name}` of `{self.table.name}` is {held[name]} in the lake "
                        f"and {kind} in the config",
                        why="rows already written cannot change their type",
                        fix=f"set the type of `{name}` back, or give the new column another name",
                    )
                )
        ledger = self.paths.changes(self.table.name)
        if not delta.exists(self.spark, ledger):
            # Untouched, it was made by a process that ended before it made the next table.
            if not delta.is_untouched(self.spark, path):
                found.append(self._without_ledger(ledger))
            return found
        key = key_of_ledger(delta.columns_of(self.spark, ledger))
        if sorted(key) != sorted(self.table.primary_key):
            held_key, wanted_key = ", ".join(key), ", ".join(self.table.primary_key)
            found.append(
                JobError(
                    code="LAK011",
                    what=f"the primary key of `{self.table.name}` is ({held_key}) in the lake "
                    f"and ({wanted_key}) in the config",
                    why="history is kept by key",
                    fix="set `primary_key` back, or start the table under another name",
                )
            )
        return found

    def _without_ledger(self, ledger: str) -> JobError:
        return JobError(
            code="LAK013",
            what=f"the change ledger of `{self.table.name}` is gone: {ledger}",
            why="late events are placed, and rows told to be known, by the ledger; the history has "
            "rows that a new one would not know",
            fix=f"put the folder back; without a copy of it, move the history away too and begin "
            f"anew: cdcctl reload {self.table.name}",
        )

    # -- reads

    def load_records(self) -> None:
        """Read what the batch log says of this table."""
        self.log.load(self.spark)

    def recorded(self, application_id: str, batch_id: int) -> Recorded | None:
        """Find the record of a batch."""
        return self.log.find(self.spark, application_id, batch_id)

    def is_finished(self, recorded: Recorded) -> bool:
        """Tell whether the last table that a batch had to write holds it."""
        batch, outcomes = recorded.batch, recorded.outcomes
        write = _write_id(batch)
        if any(outcomes[name] for name in _LEDGERED):
            return self._holds(self.paths.history(self.table.name), write)
        if outcomes["quarantined"] and not self._holds(
            self.paths.quarantine(self.table.name), write
        ):
            return False
        return not recorded.consumed or self._holds(self.paths.metrics, self._shared(batch))

    def _holds(self, path: str, write: WriteId) -> bool:
        return delta.committed_version(self.spark, path, write.application_id) >= write.version

    def unfinished(self) -> list[Recorded]:
        """Give the batches that were recorded and whose writes are not all there, oldest first."""
        begun = (record for record in self.log.newest() if not self.is_finished(record))
        return sorted(begun, key=lambda record: record.batch.processed_at)

    def rows_expected(self) -> int:
        """Expect of a batch what the one before brought."""
        last = self.log.last()
        return last.consumed if last is not None else 0

    def next_release(self, application_id: str) -> int:
        """Number the releases of the table, from 1; one that was begun keeps its number."""
        begun = sorted(
            (each.batch.processed_at, each.batch.application_id) for each in self.log.newest()
        )
        names = [name for _, name in begun if name.startswith(RELEASES)]
        return names.index(application_id) + 1 if application_id in names else len(names) + 1

    def watermark_before(self, batch: Batch) -> Watermark:
        """Give how far the accepted events of the other batches reach."""
        return self.log.watermark_of_others(self.spark, batch)

    def overlaps(self, batch: Batch, offsets: Offsets) -> bool:
        """Tell whether another batch has read some of these offsets."""
        return self.log.overlaps(self.spark, batch, offsets)

    def measure(self, events: DataFrame, *, fields_missing: bool) -> tuple[Measured, ...]:
        """Measure the configured metrics with Deequ."""
        failpoints.reach("after-summary")
        with self.stopwatch.step("measure"):
            return measure(self.spark, events, self.table, fields_missing=fields_missing)

    def measured(self, batch: Batch) -> tuple[Measured, ...]:
        """Give what was measured of a batch that the lake holds."""
        rows = delta.read(self.spark, self.paths.metrics).filter(
            (F.col("table_name") == self.table.name)
            & (F.col("batch_id") == batch.batch_id)
            & (F.col("timestamp") == F.lit(batch.processed_at))
        )
        return tuple(
            Measured(
                row["metric_name"],
                row["column_name"],
                row["metric_value"],
                row["threshold"],
                row["passed"],
                row["severity"],
                row["rule_id"],
            )
            for row in rows.collect()
        )

    def versions_changed(self, batch: Batch) -> tuple[int, int] | None:
        """Count the versions that a batch's commit opened and closed; None when it is not known.

        A version that the batch opened and closed counts in both.
        """
        record = self.recorded(batch.application_id, batch.batch_id)
        if record is not None and not any(record.outcomes[name] for name in _LEDGERED):
            return 0, 0
        actions = delta.newest_actions(self.spark, self.paths.history(self.table.name))
        write: dict[str, Any] = next((action["txn"] for action in actions if "txn" in action), {})
        if (write.get("appId"), write.get("version")) != (batch.application_id, batch.batch_id):
            return None
        grown = {"true": 0, "false": 0}
        for action in actions:
            for kind, sign in (("add", 1), ("remove", -1)):
                file = action.get(kind)
                if file is None:
                    continue
                if not file.get("stats"):
                    return None
                rows = json.loads(file["stats"])["numRecords"]
                rows -= (file.get("deletionVector") or {}).get("cardinality", 0)
                grown[file["partitionValues"]["_is_current"]] += sign * rows
        return sum(grown.values()), grown["false"]

    def has_history(self) -> bool:
        """Tell whether a row was ever written to history."""
        path = self.paths.history(self.table.name)
        return delta.exists(self.spark, path) and not delta.is_untouched(self.spark, path)

    def versions_held(self) -> str:
        """Spell the newest versions of history, ledger and quarantine."""
        name = self.table.name
        paths = (self.paths.history(name), self.paths.changes(name), self.paths.quarantine(name))
        return ".".join(str(delta.version(self.spark, path)) for path in paths)

    def entries(self, version: int | None = None) -> DataFrame:
        """Give the whole ledger, as it is or as it was."""
        held = delta.read(self.spark, self.paths.changes(self.table.name), version)
        return delta.with_columns(held, self.ledger_columns())

    def other_entries(self, batch: Batch) -> DataFrame:
        """Give the ledger without the entries of the batch itself."""
        own = (F.col("_application_id") == batch.application_id) & (
            F.col("_batch_id") == batch.batch_id
        )
        return self.entries().filter(~own)

    def quarantine_version(self) -> int:
        """Give the newest version of the quarantine table."""
        return delta.version(self.spark, self.paths.quarantine(self.table.name))

    def quarantined(self, version: int) -> DataFrame:
        """Give what a version of the quarantine table holds."""
        rows = delta.read(self.spark, self.paths.quarantine(self.table.name), version)
        return delta.with_columns(rows, {**self.data_columns(), **QUARANTINE_COLUMNS})

    def reasons(self, request_id: str) -> dict[str, int]:
        """Count, by reason, the rows that a release tried in vain."""
        rows = self.quarantined(self.quarantine_version()).filter(
            (F.col("_request_id") == request_id) & (F.col("_status") == "open")
        )
        failed = rows.select(F.explode("_failed_rules").alias("failed"))
        counted = failed.groupBy(F.col("failed")["id"].alias("id")).count().collect()
        return {row["id"]: row["count"] for row in counted}

    def history(self, version: int | None = None) -> DataFrame:
        """Give the SCD2 rows, with the columns that the config has and the table has not yet."""
        return self._as_known(delta.read(self.spark, self.paths.history(self.table.name), version))

    def current(self) -> DataFrame:
        """Give the current rows of `history`."""
        path = self.paths.history(self.table.name)
        return self._as_known(delta.read_partition(self.spark, path, "_is_current"))

    def _as_known(self, held: DataFrame) -> DataFrame:
        rows = delta.with_columns(held, self.history_columns())
        if not self._other_columns:
            return rows
        return rows.withColumn("_unknown", F.array_except("_unknown", _names(self._other_columns)))

    @cached_property
    def _other_columns(self) -> tuple[str, ...]:
        """Name the columns of history that this config has not: its rows do not know them."""
        held = delta.columns_of(self.spark, self.paths.history(self.table.name))
        return tuple(name for name in held if name not in self.history_columns())

    def refused_elsewhere(self, batch: Batch) -> DataFrame:
        """Give the coordinates of what other batches have refused."""
        own = (F.col("_application_id") == batch.application_id) & (
            F.col("_batch_id") == batch.batch_id
        )
        return (
            delta.read(self.spark, self.paths.quarantine(self.table.name))
            .filter(~own)
            .select("_topic_id", "_partition", "_offset")
        )

    def computing(self, rows: int) -> AbstractContextManager[None]:
        """Compile what so many rows pass through, when they are worth it."""
        self.stopwatch.reach("check")
        return session.compiling(self.spark, rows)

    # -- writes, in this order

    def record(self, report: BatchReport) -> None:
        """Write the batch record: what was read and what becomes of it."""
        batch = report.batch
        row: dict[str, object] = {
            "table_name": report.table,
            "batch_id": batch.batch_id,
            "processed_at": batch.processed_at,
            "config_hash": batch.config_hash,
            "consumed": report.consumed,
            **{name: report.outcomes.get(name, 0) for name in OUTCOMES},
            "application_id": batch.application_id,
            "source": batch.source,
            "topic": report.topic,
            "offsets": json.dumps(report.offsets),
            "history_version": None,
            "watermark": json.dumps(asdict(report.watermark)),
        }
        with self._writing("record"):
            self._append_rows([row], BATCH_COLUMNS, self.paths.batches, self._shared(batch))
        self.log.remember(
            Recorded(batch, report.offsets, report.watermark, report.consumed, report.outcomes)
        )

    def void(self, recorded: Recorded) -> None:
        """Let a record count for nothing: its batch cannot be finished, or is taken again."""
        batch = recorded.batch
        path = self.paths.batches
        own = (
            (F.col("table_name") == self.table.name)
            & (F.col("application_id") == batch.application_id)
            & (F.col("batch_id") == batch.batch_id)
        )
        nothing: dict[str, str | Column] = dict.fromkeys(
            ("consumed", *OUTCOMES), F.lit(0).cast("bigint")
        )
        DeltaTable.forPath(self.spark, path).update(own, nothing)
        self.log.remember(replace(recorded, consumed=0, outcomes=dict.fromkeys(OUTCOMES, 0)))

    def quarantine(self, refused: DataFrame, batch: Batch) -> None:
        """Append what was refused."""
        with self._writing("quarantine"):
            commit.append(refused, self.paths.quarantine(self.table.name), _write_id(batch))

    def settle(self, tried: DataFrame, batch: Batch, release: Release) -> None:
        """Note what became of the rows of a release, in one commit.

        Args:
            tried: rows of `pipeline.quality.refused`, `_failed_rule` empty where nothing is wrong.
            batch: the release's batch.
            release: who asked for it, and why.
        """
        passed = F.col("s.`_failed_rule`") == ""
        decided: dict[str, str | Column] = {
            "_status": F.when(passed, "released").otherwise("open"),
            "_attempts": F.coalesce(F.col("t.`_attempts`"), F.lit(0)) + 1,
            **_decision(release.reason, release.by, batch.processed_at, release.request_id),
            **{
                name: F.when(passed, F.col(f"t.`{name}`")).otherwise(F.col(f"s.`{name}`"))
                for name in ("_failed_rule", "_failed_rules", "_config_hash")
            },
        }
        with self._writing("quarantine"), delta.writing(self.spark, _write_id(batch)):
            self._matching(tried).whenMatchedUpdate(set=decided).execute()

    def discard(self, places: DataFrame, request: Request) -> None:
        """Mark open rows of quarantine as given up.

        Args:
            places: `_topic_id, _partition, _offset`.
            request: who asked for it, and why.
        """
        decided: dict[str, str | Column] = {
            "_status": F.lit("discarded"),
            **_decision(request.reason, request.requested_by, request.requested_at, request.id),
        }
        write = WriteId(f"discard/{request.id}", 0)
        self._guard()
        with delta.writing(self.spark, write):
            self._matching(places).whenMatchedUpdate(set=decided).execute()

    def _matching(self, places: DataFrame) -> DeltaMergeBuilder:
        address = [f"t.`{name}` = s.`{name}`" for name in ("_topic_id", "_partition", "_offset")]
        address.append("coalesce(t.`_status`, 'open') = 'open'")
        table = DeltaTable.forPath(self.spark, self.paths.quarantine(self.table.name))
        return table.alias("t").merge(places.alias("s"), " AND ".join(address))

    def measures(self, report: BatchReport) -> None:
        """Append the metrics of the batch."""
        batch = report.batch
        rows: list[dict[str, object]] = [
            {
                "table_name": report.table,
                "batch_id": batch.batch_id,
                "metric_name": measured.metric,
                "column_name": measured.column,
                "metric_value": measured.value,
                "threshold": None if measured.threshold is None else float(measured.threshold),
                "passed": measured.passed,
                "timestamp": batch.processed_at,
                "severity": measured.severity,
                "rule_id": measured.rule_id,
            }
            for measured in report.measures
        ]
        if rows:
            with self._writing("metrics"):
                self._append_rows(rows, METRIC_COLUMNS, self.paths.metrics, self._shared(batch))

    def changes(self, entries: DataFrame, batch: Batch) -> None:
        """Append the batch's entries to the change ledger."""
        stamped = entries.select(
            *entries.columns,
            F.lit(batch.processed_at).alias("_ingested_at"),
            F.lit(batch.config_hash).alias("_config_hash"),
            F.lit(batch.application_id).alias("_application_id"),
            F.lit(batch.batch_id).cast("bigint").alias("_batch_id"),
        )
        ledger = self.paths.changes(self.table.name)
        with self._writing("ledger"):
            commit.append(stamped.select(*self.ledger_columns()), ledger, _write_id(batch))

    def merge(self, difference: DataFrame, batch: Batch, *, closed_since: str | None) -> None:
        """Bring history to what the fold asks for, in one commit.

        Args:
            difference: rows of `pipeline.versions.difference`.
            batch: the batch that asks.
            closed_since: no row that was closed before is addressed (ISO 8601, UTC), and no closed
                row at all when it is None, so that Delta need not read them.
        """
        rows = difference.withColumn("_ingested_at", F.lit(batch.processed_at))
        if self._other_columns:
            unknown = F.array_union("_unknown", _names(self._other_columns))
            rows = rows.withColumn("_unknown", unknown)
        among: Column | str = "_is_current"
        if closed_since is not None:
            ends = F.col("_effective_to")
            among = ends.isNull() | (ends >= F.lit(closed_since).cast("timestamp"))
        # Read for its addresses, again for its values, and again if a task is repeated.
        kept = rows.select("_action", *self.history_columns()).localCheckpoint(eager=False)
        try:
            with self._writing("history"):
                replace_rows(
                    self.spark,
                    self.paths.history(self.table.name),
                    kept,
                    address=(*self.table.primary_key, "_effective_from"),
                    among=among,
                    write=_write_id(batch),
                    marked_from=_MARKED_FROM[self.table.deletion_vectors],
                )
        finally:
            release(kept)

    @contextmanager
    def _writing(self, write: str) -> Iterator[None]:
        with self.stopwatch.step(write), failpoints.around(write):
            self._guard()
            yield

    def _shared(self, batch: Batch) -> WriteId:
        """Give the write id in a table that all tables write to."""
        return WriteId(f"{batch.application_id}/{self.table.name}", batch.batch_id)

    def evolve(self) -> None:
        """Add the columns that the config has and the tables have not.

        The current rows are told first that they do not know them: a value that comes later fills
        such a row in place, and opens no version.
        """
        history = self.paths.history(self.table.name)
        held = delta.columns_of(self.spark, history)
        added = [name for name in self.data_columns() if name not in held]
        if added and not delta.is_untouched(self.spark, history):
            names = _names(added)
            DeltaTable.forPath(self.spark, history).update(
                F.col("_is_current") & (F.size(F.array_except(names, F.col("_unknown"))) > 0),
                {"_unknown": F.array_union(F.col("_unknown"), names)},
            )
        for path, columns in (
            (history, self.history_columns()),
            (self.paths.changes(self.table.name), self.ledger_columns()),
            (self.paths.quarantine(self.table.name), {**self.data_columns(), **QUARANTINE_COLUMNS}),
        ):
            delta.add_columns(self.spark, path, columns)

    def _append_rows(
        self, rows: Sequence[dict[str, object]], columns: dict[str, str], path: str, write: WriteId
    ) -> None:
        # As one literal the rows need no Python process beside the executor.
        told = [
            {
                name: int(value.timestamp() * 1_000_000) if isinstance(value, datetime) else value
                for name, value in row.items()
            }
            for row in rows
        ]
        kinds = {name: "bigint" if kind == "timestamp" else kind for name, kind in columns.items()}
        schema = ", ".join(f"`{name}`: {kind}" for name, kind in kinds.items())
        text = F.from_json(F.lit(json.dumps(told)), f"array<struct<{schema}>>")
        frame = self.spark.range(1, numPartitions=1).select(F.inline(text))
        typed = [
            F.timestamp_micros(name).alias(name) if kind == "timestamp" else F.col(name)
            for name, kind in columns.items()
        ]
        commit.append(frame.select(*typed), path, write)


def _names(columns: Iterable[str]) -> Column:
    return F.array(*map(F.lit, columns)).cast("array<string>")


def _write_id(batch: Batch) -> WriteId:
    return WriteId(batch.application_id, batch.batch_id)


def _decision(reason: str, by: str, at: datetime, request_id: str) -> dict[str, str | Column]:
    return {
        "_status_reason": F.lit(reason),
        "_status_by": F.lit(by),
        "_status_at": F.lit(at),
        "_request_id": F.lit(request_id),
    }
