"""The batch log in memory says what a walk over all its records says, and does not grow with it."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from glue_job.contract.lake import BATCH_COLUMNS, OUTCOMES
from glue_job.edge import delta
from glue_job.edge.batch_log import BatchLog
from glue_job.pipeline.report import Batch, Offsets, Recorded, Watermark

pytestmark = pytest.mark.spark

APPLICATIONS = ("stream/q/0", "stream/q/1", "release/a", "local-run/x")
START = datetime(2026, 3, 1, tzinfo=UTC)


def made(number: int, chance: random.Random) -> Recorded:
    name = chance.choice(APPLICATIONS)
    first = chance.randrange(1000)
    ranges = {p: (first, first + chance.randrange(1, 50)) for p in range(chance.randrange(3))}
    offsets = {} if name.startswith("release/") else {chance.choice(("t1", "t2")): ranges}
    time = f"2026-02-{chance.randrange(1, 29):02}T00:00:00.000000"
    return Recorded(
        Batch(name, number, START + timedelta(seconds=number), "c", "kafka", is_guarded=False),
        offsets,
        Watermark(time, chance.choice(("", time)), "", chance.random() < 0.3, number == 7),
        3,
        dict.fromkeys(OUTCOMES, 0),
    )


@pytest.fixture(scope="module")
def records() -> list[Recorded]:
    chance = random.Random(11)
    return [made(number, chance) for number in range(200)]


@pytest.fixture(scope="module")
def path(
    spark: SparkSession, records: list[Recorded], tmp_path_factory: pytest.TempPathFactory
) -> str:
    path = str(tmp_path_factory.mktemp("log") / "batches")
    delta.create(spark, path, BATCH_COLUMNS)
    rows = [as_row("t", record) for record in records]
    rows += [as_row("other", made(number, random.Random(number))) for number in range(900, 910)]
    schema = ", ".join(f"`{name}` {kind}" for name, kind in BATCH_COLUMNS.items())
    spark.createDataFrame(rows, schema).write.format("delta").mode("append").save(path)
    return path


def as_row(table: str, record: Recorded) -> tuple[object, ...]:
    batch = record.batch
    values: dict[str, object] = {
        "table_name": table,
        "batch_id": batch.batch_id,
        "processed_at": batch.processed_at,
        "config_hash": batch.config_hash,
        "consumed": record.consumed,
        **record.outcomes,
        "application_id": batch.application_id,
        "source": batch.source,
        "topic": "t",
        "offsets": json.dumps(record.offsets),
        "history_version": None,
        "watermark": json.dumps(asdict(record.watermark)),
    }
    return tuple(values[name] for name in BATCH_COLUMNS)


@pytest.fixture(scope="module", params=["loaded", "remembered"])
def log(
    request: pytest.FixtureRequest, spark: SparkSession, records: list[Recorded], path: str
) -> BatchLog:
    log = BatchLog(path, "t")
    if request.param == "loaded":
        log.load(spark)
    else:
        for record in records:
            log.remember(record)
    return log


def others(records: Sequence[Recorded], batch: Batch) -> list[Recorded]:
    own = (batch.application_id, batch.batch_id)
    return [each for each in records if (each.batch.application_id, each.batch.batch_id) != own]


def test_it_keeps_one_record_an_application(log: BatchLog, records: list[Recorded]) -> None:
    newest = {record.batch.application_id: record for record in records}
    assert {each.batch.application_id: each for each in log.newest()} == newest
    assert log.last() == records[-1]


def test_the_sums_are_those_of_all_records(log: BatchLog, records: list[Recorded]) -> None:
    assert log.watermark() == reduce(Watermark.joined, (each.watermark for each in records))
    for topic in ("t1", "t2", "t3"):
        ends: dict[int, int] = {}
        for record in records:
            for partition, (_, end) in record.offsets.get(topic, {}).items():
                ends[partition] = max(end, ends.get(partition, 0))
        assert log.ends(topic) == ends


def test_every_record_is_found(log: BatchLog, spark: SparkSession, records: list[Recorded]) -> None:
    for record in (*records[:3], records[120], records[-1]):
        assert log.find(spark, record.batch.application_id, record.batch.batch_id) == record
    absent = next(name for name in APPLICATIONS if name != records[5].batch.application_id)
    assert log.find(spark, absent, 5) is None
    assert log.find(spark, "stream/q/0", 10_000) is None
    assert log.find(spark, "nobody", 0) is None


def test_a_batch_that_is_taken_again_does_not_count_itself(
    log: BatchLog, spark: SparkSession, records: list[Recorded]
) -> None:
    only = records[7]
    expected = reduce(Watermark.joined, (each.watermark for each in others(records, only.batch)))
    assert only.watermark.sparse_moves
    assert not expected.sparse_moves
    assert log.watermark_of_others(spark, only.batch) == expected
    new = Batch("stream/q/0", 10_000, START, "c", "kafka")
    assert log.watermark_of_others(spark, new) == log.watermark()


@pytest.mark.parametrize("first", [0, 400, 990, 1040, 1060])
def test_ranges_that_another_batch_has_read_are_seen(
    log: BatchLog, spark: SparkSession, records: list[Recorded], first: int
) -> None:
    offsets: Offsets = {"t1": {0: (first, first + 3)}}
    new = Batch("stream/q/0", 10_000, START, "c", "kafka")
    expected = any(
        known[0] < first + 3 and first < known[1]
        for record in records
        if (known := record.offsets.get("t1", {}).get(0)) is not None
    )
    assert log.overlaps(spark, new, offsets) is expected


def test_a_batch_does_not_overlap_with_itself(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "batches")
    delta.create(spark, path, BATCH_COLUMNS)
    chance = random.Random(1)
    record = next(each for n in range(99) if (each := made(n, chance)).offsets.get("t1"))
    schema = ", ".join(f"`{name}` {kind}" for name, kind in BATCH_COLUMNS.items())
    rows = spark.createDataFrame([as_row("t", record)], schema)
    rows.write.format("delta").mode("append").save(path)
    log = BatchLog(path, "t")
    log.load(spark)
    assert not log.overlaps(spark, record.batch, record.offsets)
    new = Batch("stream/q/9", 1, START, "c", "kafka")
    assert log.overlaps(spark, new, record.offsets)
