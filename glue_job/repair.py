"""Does what an operator asked for: releases from quarantine, discards, rebuilds, closings.

A release is a batch like any other, under the application id of its request: its rows are open
rows of quarantine, taken from one version of that table, and each keeps its place at the source.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from glue_job.closing import close_missing
from glue_job.contract.lake import RELEASES
from glue_job.contract.model import Table, Transform
from glue_job.errors import JobError
from glue_job.pipeline.batch import would_fail
from glue_job.pipeline.past import fill_chains, release
from glue_job.pipeline.report import Batch, BatchReport, Release
from glue_job.pipeline.transform import apply_transforms, cannot_transform
from glue_job.pipeline.versions import Shape, difference, earliest_closed, fold, place, versions
from glue_job.requests import Answer, Coordinates, Request, Selection
from glue_job.table import TableJob

MOST_ATTEMPTS = 3
"""A row that was tried so often without success is left out unless it is named."""


def answer(job: TableJob, request: Request) -> Answer:
    """Do what a request asks for, once: asked again, what was done stays as it is.

    Raises:
        JobError: it cannot be done; nothing was written, or the rest is done when asked again.
    """
    doing = {"replay": _replay, "discard": _discard, "rebuild": _rebuild, "close": close_missing}
    return doing[request.kind](job, request)


def _replay(job: TableJob, request: Request) -> Answer:
    if job.table.quarantine == "masked":
        raise JobError(
            code="QUA010",
            what=f"what `{job.table.name}` refused cannot be replayed",
            why="its quarantine is masked: the messages themselves were not kept",
            fix=f"let the source send the rows again, or cdcctl reload {job.table.name}",
        )
    unknown = sorted(set(request.patch) - set(job.table.column_names))
    if unknown:
        raise JobError(
            code="QUA011",
            what=f"`{job.table.name}` has no column `{unknown[0]}`",
            why=f"it has {', '.join(job.table.column_names)}",
            fix="patch one of these columns",
        )
    application = f"{RELEASES}{request.id}"
    begun = job.lake.recorded(application, 0)
    version = (
        int(begun.batch.source.rpartition("@")[2])
        if begun is not None
        else job.lake.quarantine_version()
    )
    rows, tired = _selected(job.lake.quarantined(version), request.selection)
    if request.dry_run:
        return _tried(job, rows, request, tired)
    count = begun.consumed if begun is not None else rows.count()
    if not count:
        return Answer("done", {"tried": 0, "tired": tired})
    report = job.process(
        _as_messages(rows),
        application_id=application,
        batch_id=0,
        processed_at=datetime.now(UTC),
        source=f"{application}@{version}",
        release=Release(
            rank=job.lake.next_release(application),
            patch=request.patch,
            request_id=request.id,
            reason=request.reason,
            by=request.requested_by,
        ),
    )
    outcomes = {name: n for name, n in report.outcomes.items() if n}
    return Answer(
        "done",
        {"tried": report.consumed, "tired": tired, **outcomes},
        job.lake.reasons(request.id),
    )


def _tried(job: TableJob, rows: DataFrame, request: Request, tired: int) -> Answer:
    failing = would_fail(_as_messages(rows), job.pipeline, job.table, request.patch)
    tried, refused = rows.count(), failing.pop("", 0)
    return Answer("done", {"tried": tried, "tired": tired, "quarantined": refused}, failing)


def _selected(quarantined: DataFrame, selection: Selection) -> tuple[DataFrame, int]:
    """Give the open rows that are meant, and how many are left out for having failed too often."""
    chosen = F.coalesce(F.col("_status"), F.lit("open")) == "open"
    if selection.rule is not None:
        chosen &= F.array_contains(F.col("_failed_rules")["id"], F.lit(selection.rule))
    if selection.since is not None:
        chosen &= F.col("_quarantined_at") >= F.lit(selection.since)
    if selection.coordinates:
        chosen &= reduce(operator.or_, map(_is_at, selection.coordinates))
    open_rows = quarantined.filter(chosen)
    tired = F.coalesce(F.col("_attempts"), F.lit(0)) >= MOST_ATTEMPTS
    left_out = 0 if selection.coordinates else open_rows.filter(tired).count()
    rows = open_rows if selection.coordinates else open_rows.filter(~tired)
    if selection.most is not None:
        rows = rows.orderBy("_quarantined_at", "_partition", "_offset").limit(selection.most)
    return rows, left_out


def _is_at(place: Coordinates) -> Column:
    there = (F.col("_partition") == place[0]) & (F.col("_offset") == place[1])
    return there & (F.col("_topic") == place[2]) if len(place) > 2 else there


def _as_messages(rows: DataFrame) -> DataFrame:
    return rows.select(
        F.col("_topic").alias("topic"),
        F.col("_topic_id").alias("topic_id"),
        F.col("_partition").alias("partition"),
        F.col("_offset").alias("offset"),
        F.col("_kafka_timestamp").alias("timestamp"),
        F.col("_raw_value").alias("value"),
    )


def _discard(job: TableJob, request: Request) -> Answer:
    rows, _ = _selected(
        job.lake.quarantined(job.lake.quarantine_version()).withColumn("_attempts", F.lit(0)),
        request.selection,
    )
    count = rows.count()
    if count and not request.dry_run:
        places = rows.select("_topic_id", "_partition", "_offset").localCheckpoint()
        job.lake.discard(places, request)
        release(places)
    return Answer("done", {"discarded": count})


def _rebuild(job: TableJob, request: Request) -> Answer:
    lake, table, shape = job.lake, job.table, Shape()
    entries = _retransformed(job).withColumn("_is_new", F.lit(False))
    if lake.log.watermark().sparse_moves:
        entries = fill_chains(entries, table)
    folded = fold(place(entries, table, shape), table, shape)
    changes = difference(versions(folded, table), lake.history(), table).localCheckpoint()
    try:
        counts = {
            row["_action"]: row["count"] for row in changes.groupBy("_action").count().collect()
        }
        if counts and not request.dry_run:
            batch = Batch(f"rebuild/{request.id}", 0, datetime.now(UTC), "", "rebuild")
            lake.merge(changes, batch, closed_since=earliest_closed(changes))
        last = lake.log.last()
        is_under_another = last is not None and last.batch.config_hash != job.config_hash
        if not request.dry_run and (counts or is_under_another):
            lake.record(_as_record(job, request))
    finally:
        release(changes)
    done = {"insert": "inserted", "update": "updated", "delete": "deleted"}
    return Answer("done", {told: counts.get(action, 0) for action, told in done.items()})


def _as_record(job: TableJob, request: Request) -> BatchReport:
    """Note in the batch log which config the history stands under from now on."""
    batch = Batch(f"rebuild/{request.id}", 0, datetime.now(UTC), job.config_hash, "rebuild")
    return BatchReport(job.table.name, batch, 0, {}, topic=job.table.topic)


def _retransformed(job: TableJob) -> DataFrame:
    """Give the whole ledger with the values that the current config makes of what it stores."""
    ledger = job.lake.entries()
    parts = []
    for config_hash, table in _tables_by_config(job, ledger):
        entries = ledger.filter(F.col("_config_hash") == config_hash)
        if table.transforms:
            _refuse_impossible(entries, table)
            entries = apply_transforms(entries, table)
        parts.append(entries)
    return reduce(DataFrame.unionByName, parts) if parts else ledger


def _tables_by_config(job: TableJob, ledger: DataFrame) -> Iterator[tuple[str, Table]]:
    """Give the table, with the steps that are new since, for each config of the ledger."""
    for row in ledger.select("_config_hash").distinct().collect():
        then = job.config_of(row["_config_hash"])[1]
        yield row["_config_hash"], replace(job.table, transforms=_new_steps(then, job.table))


def _new_steps(then: Table, now: Table) -> tuple[Transform, ...]:
    """Give the transforms that stored values have not seen: all of a column's when it differs."""
    steps: list[Transform] = []
    for name in now.column_names:
        old, new = _steps_of(then, name), _steps_of(now, name)
        same = _spelled(new)[: len(old)] == _spelled(old)
        steps += new[len(old) :] if same else new
    return tuple(steps)


def _steps_of(table: Table, column: str) -> list[Transform]:
    return [step for step in table.ordered_transforms if step.column == column]


def _spelled(steps: list[Transform]) -> list[tuple[str, Mapping[str, object]]]:
    return [(step.type, dict(step.params)) for step in steps]


def _refuse_impossible(entries: DataFrame, table: Table) -> None:
    given = entries.filter(~F.col("_operation").isin("delete") & F.col("_kind").isNotNull())
    for step, fails in cannot_transform(table):
        if given.filter(fails & (F.size("_present") > 0)).limit(1).count():
            raise JobError(
                code="LAK061",
                what=f"`{table.name}` cannot be rebuilt: transform `{step}` fails on stored values",
                why="the change ledger keeps values after the transforms they were accepted with",
                fix=f"change `{step}` so that it takes what the lake holds, and rebuild again",
            )
