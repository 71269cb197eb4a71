"""One micro-batch of one table: seven steps, one outcome for every offset."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import reduce
from typing import Any, Protocol

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from glue_job.consent import way_on
from glue_job.contract.lake import OUTCOMES
from glue_job.contract.model import Pipeline, Table
from glue_job.errors import JobError
from glue_job.pipeline.breaker import stop_if_tripped
from glue_job.pipeline.entries import to_entries
from glue_job.pipeline.envelope import SEPARATOR, SourceNames, parse_envelope
from glue_job.pipeline.masking import mask_refused
from glue_job.pipeline.past import Folded, PastEdge, fold_with_past, release
from glue_job.pipeline.quality import accepted, check_rules, refused
from glue_job.pipeline.report import Batch, BatchReport, Measured, Release, Watermark
from glue_job.pipeline.summary import Summary, summarize
from glue_job.pipeline.transform import apply_transforms
from glue_job.pipeline.versions import earliest_closed

_EVENT = ("_topic_id", "_partition", "_offset")


class BatchEdge(PastEdge, Protocol):
    """What a batch reads from and writes to."""

    def computing(self, rows: int) -> AbstractContextManager[None]:
        """Let Spark do what so many rows are worth, for as long as the context lasts."""

    def rows_expected(self) -> int:
        """Estimate how many messages a batch brings that has not been counted yet."""

    def watermark_before(self, batch: Batch) -> Watermark:
        """Give how far the accepted events of the other batches reach."""

    def overlaps(self, batch: Batch, offsets: Mapping[str, Mapping[int, tuple[int, int]]]) -> bool:
        """Tell whether another batch may have read some of these offsets."""

    def refused_elsewhere(self, batch: Batch) -> DataFrame:
        """Give the coordinates that other batches have refused."""

    def measure(self, events: DataFrame, *, fields_missing: bool) -> tuple[Measured, ...]:
        """Measure the configured metrics."""

    def record(self, report: BatchReport) -> None:
        """Write the batch record."""

    def quarantine(self, refused: DataFrame, batch: Batch) -> None:
        """Append refused rows."""

    def settle(self, tried: DataFrame, batch: Batch, release: Release) -> None:
        """Note what became of the rows of a release."""

    def measures(self, report: BatchReport) -> None:
        """Append metrics."""

    def changes(self, entries: DataFrame, batch: Batch) -> None:
        """Append entries to the change ledger."""

    def merge(self, difference: DataFrame, batch: Batch, *, closed_since: str | None) -> None:
        """Bring history to what the fold asks for, in one commit."""


def process_batch(
    rows: DataFrame, batch: Batch, pipeline: Pipeline, table: Table, edge: BatchEdge
) -> BatchReport:
    """Take one micro-batch of one table from Kafka rows to SCD2 history.

    Args:
        rows: `topic, topic_id, partition, offset, timestamp, value`, each offset once.
        batch: the batch's identity; a replay must come with the same.
        pipeline: the whole config.
        table: the table's entry in it.
        edge: reads and writes of this table's lake.

    Returns:
        The outcome of every offset, as written to the batch log.

    Raises:
        JobError: the counts do not add up, or the circuit breaker trips; nothing has been
            written then.
    """
    before = edge.watermark_before(batch)
    patch = batch.release.patch if batch.release is not None else {}
    checked = _check(rows, pipeline, table, before.commit_time_seen, patch)
    try:
        with edge.computing(edge.rows_expected()):
            summary = summarize(checked, table, before)
            if (
                summary.unsequenced
                and summary.watermark.commit_time_seen
                and not before.commit_time_seen
            ):
                release(checked)
                checked = _check(rows, pipeline, table, True, patch)
                summary = summarize(checked, table, before)
        with edge.computing(summary.rows):
            return _write_batch(checked, summary, before, batch, pipeline, table, edge)
    finally:
        release(checked)


def would_fail(
    rows: DataFrame, pipeline: Pipeline, table: Table, patch: Mapping[str, str | None]
) -> dict[str, int]:
    """Count, by reason, the rows that would be refused; all of them, each once, under ``.

    Args:
        rows: as for `process_batch`.
        pipeline: the whole config.
        table: the table's entry in it.
        patch: as for `parse_envelope`.
    """
    checked = _check(rows, pipeline, table, False, patch)
    try:
        wrong = checked.filter((F.col("_class") == "data") & (F.col("_failed") != ""))
        reasons = F.explode(F.array_union(F.array(F.lit("")), F.split("_failed", SEPARATOR)))
        counted = wrong.select(reasons.alias("reason")).groupBy("reason").count().collect()
        return {row["reason"]: row["count"] for row in counted}
    finally:
        release(checked)


def _check(
    rows: DataFrame,
    pipeline: Pipeline,
    table: Table,
    commit_time_required: bool,
    patch: Mapping[str, str | None],
) -> DataFrame:
    source = SourceNames.of(pipeline, table, commit_time_required=commit_time_required)
    events = parse_envelope(rows, table, source, patch)
    # A checkpoint cuts the plan: what follows is planned many times, and this part is large.
    return check_rules(events, table).localCheckpoint(eager=False)


def _write_batch(
    checked: DataFrame,
    summary: Summary,
    before: Watermark,
    batch: Batch,
    pipeline: Pipeline,
    table: Table,
    edge: BatchEdge,
) -> BatchReport:
    _refuse_holes(summary, batch, table)
    events = accepted(checked)
    known = None
    refused_count, reread = summary.refused, 0
    freed = batch.release
    if freed is None and edge.overlaps(batch, summary.offsets):
        # What was refused before stays refused: only a release from quarantine lets it in.
        known = edge.refused_elsewhere(batch)
        events = events.join(known, list(_EVENT), "left_anti")
        refused_count = _refusals(checked, known).count()
        reread = summary.data - refused_count - events.count()
    breaker = pipeline.settings.circuit_breaker
    if breaker is not None and batch.is_guarded:
        wrong = _refusals(checked, known)
        stop_if_tripped(breaker, wrong, refused_count, summary.data - reread, table)
    measures = _measure(checked, summary, edge, table) if freed is None else ()
    entries = to_entries(
        apply_transforms(events, table).withColumn(
            "_release", F.lit(freed.rank if freed is not None else 0)
        ),
        table,
    ).withColumn("_is_new", F.lit(True))
    parts = fold_with_past(entries, summary, before, batch, table, edge)
    try:
        folded = reduce(
            DataFrame.unionByName,
            [part.entries.select(*entries.columns, "_outcome") for part in parts],
        )
        outcomes = _count_outcomes(folded, summary, refused_count, reread)
        report = BatchReport(
            table=table.name,
            batch=batch,
            consumed=summary.rows,
            outcomes=outcomes,
            # A release reads no offsets: they were counted when the messages came.
            offsets=summary.offsets if freed is None else {},
            topic=table.topic,
            watermark=summary.watermark,
            measures=measures,
            late=summary.late,
            reasons=summary.reasons,
            earliest=summary.earliest,
        )
        _refuse_wrong_counts(report)
        edge.record(report)
        if freed is not None:
            tried = checked.filter(F.col("_class") == "data")
            edge.settle(refused(tried, table, lambda name: _stamp(name, batch)), batch, freed)
        elif outcomes["quarantined"]:
            rows = refused(_refusals(checked, known), table, lambda name: _stamp(name, batch))
            edge.quarantine(
                mask_refused(rows, table) if table.quarantine == "masked" else rows, batch
            )
        edge.measures(report)
        if summary.data > refused_count + reread:
            edge.changes(folded.filter("_is_new").drop("_is_new"), batch)
            _merge(parts, batch, table, edge)
        return report
    finally:
        for part in parts:
            part.free()


def _merge(parts: tuple[Folded, ...], batch: Batch, table: Table, edge: BatchEdge) -> None:
    prompt = [part.changes(table) for part in parts if part.shape.in_order]
    late = [
        part.changes(table).localCheckpoint(eager=False)
        for part in parts
        if not part.shape.in_order
    ]
    try:
        closed_since = earliest_closed(reduce(DataFrame.unionByName, late)) if late else None
        edge.merge(
            reduce(DataFrame.unionByName, [*prompt, *late]), batch, closed_since=closed_since
        )
    finally:
        for changes in late:
            release(changes)


def _refusals(checked: DataFrame, known: DataFrame | None) -> DataFrame:
    """Give the rows that something is wrong with, but for those that were refused before."""
    wrong = checked.filter((F.col("_class") == "data") & (F.col("_failed") != ""))
    return wrong if known is None else wrong.join(known, list(_EVENT), "left_anti")


def _stamp(name: str, batch: Batch) -> Column:
    values: Mapping[str, Any] = {
        "_quarantined_at": batch.processed_at,
        "_config_hash": batch.config_hash,
        "_application_id": batch.application_id,
        "_batch_id": batch.batch_id,
    }
    return F.lit(values[name])


def _measure(
    checked: DataFrame, summary: Summary, edge: BatchEdge, table: Table
) -> tuple[Measured, ...]:
    data = checked.filter(
        (F.col("_class") == "data")
        & F.col("_operation").isin("load", "insert", "update")
        & ~F.col("_failed").isin("BAD_JSON", "BAD_ENVELOPE", "WRONG_TABLE")
    )
    measured = edge.measure(data, fields_missing=summary.fields_missing > 0)
    column_of = {rule.id: rule.column for rule in table.dq_rules}
    broken = [
        Measured("violations", column_of[rule], float(n), severity=severity, rule_id=rule)
        for severity, found in (("error", summary.broken), ("warning", summary.warned))
        for rule, n in found.items()
    ]
    drifted = [Measured("unknown_field", name, 1.0) for name in sorted(summary.drift)]
    without_order = (
        [Measured("events_without_commit_time", None, float(summary.unsequenced))]
        if summary.unsequenced
        else []
    )
    return (*measured, *broken, *drifted, *without_order)


def _count_outcomes(
    folded: DataFrame, summary: Summary, refused_count: int, reread: int
) -> dict[str, int]:
    outcomes = dict.fromkeys(OUTCOMES, 0)
    new = folded.filter("_is_new")
    if summary.moves:
        # A key change is one event with two entries: it counts once, by what it did at most.
        ranked = ("applied", "unchanged", "superseded", "duplicate")
        rank = F.coalesce(
            *[F.when(F.col("_outcome") == name, F.lit(i)) for i, name in enumerate(ranked)]
        )
        first = new.groupBy(*_EVENT).agg(F.min_by("_outcome", rank).alias("_outcome"))
        counted = first.groupBy("_outcome").count().collect()
    else:
        counted = new.groupBy("_outcome").count().collect()
    for row in counted:
        outcomes[row["_outcome"]] = row["count"]
    outcomes["tombstone"] = summary.tombstones
    outcomes["control"] = summary.controls
    outcomes["duplicate"] += reread
    outcomes["quarantined"] = refused_count
    return outcomes


def _refuse_holes(summary: Summary, batch: Batch, table: Table) -> None:
    """Compare the messages read with the offsets from first to last."""
    spanned = sum(
        end - first for ranges in summary.offsets.values() for first, end in ranges.values()
    )
    if batch.is_whole and spanned != summary.rows:
        raise JobError(
            code="LAK021",
            what=f"{spanned - summary.rows} offsets are missing inside a batch of `{table.name}`",
            why=f"its topic `{table.topic}` has holes, as compaction or transactions leave them: "
            f"{summary.rows} messages came from {spanned} offsets; nothing was written",
            fix="set cleanup.policy=delete on the topic; to go on without the missing ones: "
            + way_on("--accept-lost-offsets", table.name),
        )


def _refuse_wrong_counts(report: BatchReport) -> None:
    if report.consumed != sum(report.outcomes.values()):
        raise JobError(
            code="LAK020",
            what=f"batch {report.batch.batch_id} of `{report.table}` does not add up: "
            f"{report.consumed} messages, outcomes {dict(report.outcomes)}",
            why="every offset must have exactly one outcome; nothing was written",
            fix="keep the lake and the messages as they are and report this",
        )
