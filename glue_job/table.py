"""One table's part of the job: its lake, its config, and the rule for a batch that was begun."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from pyspark.sql import DataFrame, SparkSession

from glue_job import failpoints, session
from glue_job.consent import Consent, way_on
from glue_job.contract.lake import LakePaths
from glue_job.contract.loader import load
from glue_job.contract.model import Pipeline, Table
from glue_job.edge.files import read_text, write_text
from glue_job.edge.lake import TableLake
from glue_job.errors import JobError
from glue_job.pipeline.batch import process_batch
from glue_job.pipeline.report import Batch, BatchReport, Release
from glue_job.stopwatch import Stopwatch

log = logging.getLogger("glue_job.table")

_AGAIN = "again"


class TableJob:
    """Takes the micro-batches of one table, each in its own session."""

    def __init__(
        self,
        spark: SparkSession,
        paths: LakePaths,
        pipeline: Pipeline,
        table: Table,
        *,
        config_text: str,
        config_hash: str,
        consent: Consent | None = None,
        guard: Callable[[], None] = lambda: None,
    ) -> None:
        """Name the table; `refuse_contradictions` reads its lake, `open` makes what is missing.

        `guard` raises when this process may not write the lake any more.
        """
        consent = consent or Consent()
        self._guard = guard
        self.spark = session.prepare(spark)
        self.paths = paths
        self.pipeline = pipeline
        self.table = table
        self.lake = TableLake(self.spark, paths, table, guard)
        self._config_text = config_text
        self._config_hash = config_hash
        self._is_guarded = table.name not in consent.allow_quarantine
        self._retakes = table.name in consent.retake

    def in_session(self, spark: SparkSession) -> TableJob:
        """Give the same job on the session that a batch came with."""
        self.spark = self.lake.spark = spark
        return self

    def refuse_contradictions(self, *, rebuilds: bool = False) -> None:
        """Read the batch log; raise when this config cannot go on with what the lake holds.

        Raises:
            JobError: LAK010 other types, LAK011 another key, LAK012 other ignored columns (a
                rebuild brings them into line), LAK013 no change ledger beside a history with rows.
        """
        for error in self.lake.contradictions():
            raise error
        self.lake.load_records()
        if not rebuilds:
            self._refuse_other_ignored_columns()

    def _refuse_other_ignored_columns(self) -> None:
        """Compare with the newest config that history was written under."""
        newest = self.lake.log.last()
        if newest is None:
            return
        kept = read_text(self.spark, self._kept(newest.batch.config_hash))
        then = load(kept, "").pipeline if kept is not None else None
        if then is None:
            return
        before = then.table(self.table.name)
        known = set(before.column_names) & set(self.table.column_names)
        was, now = (known & set(table.ignore_columns) for table in (before, self.table))
        if was == now:
            return
        changed = sorted(was ^ now)
        raise JobError(
            code="LAK012",
            what=f"`ignore_columns` of `{self.table.name}` changed: {', '.join(changed)}",
            why="which versions a history has depends on it, and this one has been written already",
            fix="set it back; or stop the job, fold the history again under this config with "
            f"cdcctl history rebuild {self.table.name}, and start",
        )

    def _kept(self, config_hash: str) -> str:
        return f"{self.paths.delta}/_configs/{config_hash}.yaml"

    def open(self) -> None:
        """Make the tables that are missing, and add new columns."""
        self.lake.create()
        self.lake.evolve()
        kept = self._kept(self._config_hash)
        if read_text(self.spark, kept) is None:
            write_text(self.spark, kept, self._config_text)

    def process(
        self,
        rows: DataFrame,
        *,
        application_id: str,
        batch_id: int,
        processed_at: datetime,
        source: str,
        release: Release | None = None,
        is_whole: bool = False,
    ) -> BatchReport:
        """Take a batch; one that was begun before is finished under its own config and time."""
        failpoints.reach("batch-start")
        self.lake.stopwatch = Stopwatch()
        taken_as = self._taken_as(application_id, batch_id)
        asked = Batch(
            taken_as,
            batch_id,
            processed_at,
            self._config_hash,
            source,
            is_guarded=self._is_guarded and release is None,
            release=release,
            is_whole=is_whole,
        )
        report = self._process(rows, asked)
        self._void_before(taken_as, batch_id)
        failpoints.reach("batch-end")
        return report

    def _taken_as(self, application_id: str, batch_id: int) -> str:
        """Name a batch; one that is taken again has another name, as Delta knows writes by it."""
        while self.lake.recorded(f"{application_id}/{_AGAIN}", batch_id) is not None:
            application_id = f"{application_id}/{_AGAIN}"
        begun = self.lake.recorded(application_id, batch_id)
        if begun is None or not self._retakes or self.lake.is_finished(begun):
            return application_id
        log.warning("%s: batch %s is taken again", self.table.name, batch_id)
        return f"{application_id}/{_AGAIN}"

    def _void_before(self, taken_as: str, batch_id: int) -> None:
        """Let the record count for nothing whose batch has been taken again."""
        before = self.lake.recorded(taken_as.removesuffix(f"/{_AGAIN}"), batch_id)
        if taken_as.endswith(f"/{_AGAIN}") and before is not None and before.consumed:
            self.lake.void(before)

    def _process(self, rows: DataFrame, asked: Batch) -> BatchReport:
        recorded = self.lake.recorded(asked.application_id, asked.batch_id)
        if recorded is None:
            return process_batch(rows, asked, self.pipeline, self.table, self.lake)
        if self.lake.is_finished(recorded):
            log.info("%s: batch %s is in the lake already", self.table.name, asked.batch_id)
            # What was measured may not have been told before the process ended.
            report = recorded.report(self.table.name, self.table.topic)
            return replace(report, measures=self.lake.measured(recorded.batch))
        begun = replace(recorded.batch, release=asked.release, is_whole=asked.is_whole)
        pipeline, table = self.config_of(begun.config_hash)
        lake = self.lake
        if table is not self.table:
            lake = TableLake(self.spark, self.paths, table, self._guard)
            lake.load_records()
            lake.stopwatch = self.lake.stopwatch
        report = process_batch(rows, begun, pipeline, table, lake)
        if lake is not self.lake:
            self.lake.load_records()
        return report

    @property
    def config_hash(self) -> str:
        """Name the config that new batches are taken under."""
        return self._config_hash

    def config_of(self, config_hash: str) -> tuple[Pipeline, Table]:
        """Give the config that the lake keeps under a hash; JobError LAK030 when it is gone."""
        if config_hash == self._config_hash:
            return self.pipeline, self.table
        path = self._kept(config_hash)
        text = read_text(self.spark, path)
        loaded = load(text, path) if text is not None else None
        if loaded is None or loaded.pipeline is None:
            raise JobError(
                code="LAK030",
                what=f"`{self.table.name}` needs a config that is not there any more",
                why=f"{path} cannot be read as a config",
                fix="put that file back (its name is the sha256 of its content), or take the batch "
                "again under the current config: " + way_on("--retake", self.table.name),
            )
        return loaded.pipeline, loaded.pipeline.table(self.table.name)
