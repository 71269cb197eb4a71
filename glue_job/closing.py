"""Closes the keys that a complete load of their table has not brought: they are gone at the source.

Each is a delete message of our own, at the load's beginning, and takes the way of every message: it
stands in the change ledger, so that a rebuild closes the key as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from glue_job.contract.lake import CLOSINGS
from glue_job.contract.model import Table
from glue_job.errors import JobError
from glue_job.pipeline.entries import LOAD
from glue_job.pipeline.past import release
from glue_job.requests import Answer, Load, Request
from glue_job.table import TableJob

_ISO = "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'"


@dataclass(frozen=True)
class Since:
    """What the lake holds, and what of it came since a load began."""

    current: DataFrame
    """The current rows of history."""
    entries: DataFrame
    """Entries of the ledger that were emitted since."""
    refused: DataFrame
    """Rows of quarantine that came since and were not released."""


def close_missing(job: TableJob, request: Request) -> Answer:
    """Close the keys that a load has not brought; asked again, the same ones."""
    load, table, lake = request.load, job.table, job.lake
    if load is None:
        raise JobError("REQ001", f"request {request.id} names no load")
    if not lake.has_history():
        nothing = dict.fromkeys(("current", "loaded", "missing"), 0)
        _refuse_doubtful(load, nothing, table, dry_run=request.dry_run)
        return Answer("done", nothing)
    application = f"{CLOSINGS}{request.id}"
    begun = lake.recorded(application, 0)
    source = begun.batch.source if begun is not None else f"{application}@{lake.versions_held()}"
    history, ledger, quarantine = map(int, source.rpartition("@")[2].split("."))
    began = F.lit(load.began)
    refused = lake.quarantined(quarantine).filter(
        (F.greatest("_kafka_timestamp", "_quarantined_at") >= began)
        & ~F.col("_status").eqNullSafe("released")
    )
    since = Since(
        lake.history(history).filter("_is_current"),
        lake.entries(ledger).filter(F.col("_emitted_at") >= began),
        refused,
    )
    _refuse_unknown_keys(refused, table)
    before = lake.log.watermark() if begun is None else lake.watermark_before(begun.batch)
    missing = missing_keys(since, table).localCheckpoint()
    try:
        counts = {
            "current": since.current.count(),
            "loaded": loaded_keys(since, table).count(),
            "missing": missing.count(),
        }
        _refuse_doubtful(load, counts, table, dry_run=request.dry_run)
        if request.dry_run or not counts["missing"]:
            return Answer("done", counts)
        report = job.process(
            as_deletes(
                missing,
                table,
                load.began,
                application,
                has_commit_times=before.commit_time_seen,
            ),
            application_id=application,
            batch_id=0,
            processed_at=datetime.now(UTC),
            source=source,
        )
    finally:
        release(missing)
    return Answer("done", {**counts, "closed": report.outcomes["applied"]})


def missing_keys(since: Since, table: Table) -> DataFrame:
    """Give key and `_effective_from` of the current rows of which nothing came since the load."""
    key = list(table.primary_key)
    came = since.entries.select(*key).unionByName(since.refused.select(*key))
    return since.current.select(*key, "_effective_from").join(came, key, "left_anti")


def loaded_keys(since: Since, table: Table) -> DataFrame:
    """Give the keys of the load's rows, the refused ones too."""
    key = list(table.primary_key)
    accepted = since.entries.filter(F.col("_kind") == LOAD).select(*key)
    refused = since.refused.filter(F.col("_operation") == "load").select(*key)
    return accepted.unionByName(refused).distinct()


def as_deletes(
    missing: DataFrame, table: Table, began: datetime, topic_id: str, *, has_commit_times: bool
) -> DataFrame:
    """Spell a delete of each key as DMS does.

    Args:
        missing: key and `_effective_from`.
        table: the table's entry of tables.yaml.
        began: when the load began: a load row of the key, however late, comes after the delete.
        topic_id: what makes the messages' coordinates their own.
        has_commit_times: whether the table's changes have them; where they have none, one that has
            would make all others unreadable.

    Returns:
        The rows that `process_batch` takes.
    """
    after_its_row = F.col("_effective_from") + F.expr("INTERVAL 1 MICROSECOND")
    deleted = _spelled(F.greatest(F.lit(began), after_its_row))
    emitted = _spelled(F.lit(began))
    times = (
        (emitted.alias("timestamp"), deleted.alias("commit-timestamp"))
        if has_commit_times
        else (deleted.alias("timestamp"),)
    )
    kind = (F.lit("data").alias("record-type"), F.lit("delete").alias("operation"))
    message = F.struct(
        F.struct(*table.primary_key).alias("data"), F.struct(*kind, *times).alias("metadata")
    )
    order = Window.orderBy(*table.primary_key)
    return missing.select(
        F.lit(table.topic).alias("topic"),
        F.lit(topic_id).alias("topic_id"),
        F.lit(0).alias("partition"),
        (F.row_number().over(order) - 1).cast("bigint").alias("offset"),
        F.lit(began).alias("timestamp"),
        F.to_json(message, {"timestampFormat": _ISO}).alias("value"),
    )


def _spelled(time: Column) -> Column:
    return F.date_format(time, _ISO)


def _refuse_unknown_keys(refused: DataFrame, table: Table) -> None:
    """Raise when rows were refused of which nobody can say which key they have."""
    unknown = F.lit(table.quarantine == "masked")
    for name in table.primary_key:
        unknown = unknown | F.col(name).isNull()
    is_open = F.coalesce(F.col("_status"), F.lit("open")) == "open"
    if count := refused.filter(is_open & unknown).count():
        raise JobError(
            code="LAK071",
            what=f"which keys of `{table.name}` are missing cannot be told",
            why=f"{count} messages since the load began are in quarantine, and their keys are not "
            "known: they may be among those that seem to be missing",
            fix=f"cdcctl quarantine show {table.name}; replay or discard them, then ask again",
        )


def _refuse_doubtful(load: Load, counts: dict[str, int], table: Table, *, dry_run: bool) -> None:
    """Raise when the load is not in the lake whole, or too much would be closed."""
    if counts["loaded"] < load.rows:
        raise JobError(
            code="LAK070",
            what=f"the load of `{table.name}` is not in the lake whole: {counts['loaded']} of "
            f"{load.rows} rows",
            why=f"rows since {load.began.isoformat()} count; what has not come yet would be closed",
            fix="wait until the lake has caught up, or load the table again",
        )
    if not dry_run and counts["missing"] > load.most_share * counts["current"]:
        raise JobError(
            code="LAK072",
            what=f"{counts['missing']} of {counts['current']} keys of `{table.name}` would be "
            f"closed: more than a share of {load.most_share:g}",
            why="so many keys are rarely gone at the source; nothing was written",
            fix="see that the load is that of the whole table, then give a larger --max-share",
        )
