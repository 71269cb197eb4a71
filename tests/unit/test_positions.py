"""Which application a batch is written under, and which offsets are lost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from glue_job import positions
from glue_job.edge.batch_log import BatchLog
from glue_job.pipeline.report import Batch, Offsets, Recorded, Watermark

CHECKPOINT = "stream/q"


def recorded(application: str, number: int, ranges: Mapping[int, tuple[int, int]]) -> Recorded:
    batch = Batch(application, number, datetime(2026, 3, 1, tzinfo=UTC), "c", "kafka")
    return Recorded(batch, {"t1": dict(ranges)}, Watermark(), 1, {})


THREE = [
    recorded("stream/q/0", 0, {0: (0, 10)}),
    recorded("stream/q/0", 1, {0: (10, 20)}),
    recorded("stream/q/0", 2, {0: (20, 25), 1: (0, 3)}),
    recorded("stream/other/4", 9, {0: (0, 5)}),
    recorded("local-run/x", 3, {0: (0, 5)}),
]
SECOND_EPOCH = [*THREE, recorded("stream/q/1", 1, {0: (10, 25)})]


@pytest.mark.parametrize(
    ("records", "number", "held", "application"),
    [
        ([], 0, None, "stream/q/0"),
        (THREE, 3, None, "stream/q/0"),
        (THREE, 2, {0: (20, 25), 1: (0, 3)}, "stream/q/0"),
        (THREE, 2, {0: (20, 30)}, "stream/q/1"),
        (THREE, 1, {0: (10, 25)}, "stream/q/1"),
        (THREE, 0, {0: (0, 10)}, "stream/q/0"),
        (SECOND_EPOCH, 1, {0: (10, 25)}, "stream/q/1"),
        (SECOND_EPOCH, 1, {0: (10, 20)}, "stream/q/0"),
        (SECOND_EPOCH, 1, {0: (10, 21)}, "stream/q/2"),
        # A number of an epoch before the last may be new to the last one.
        (SECOND_EPOCH, 2, {0: (25, 30)}, "stream/q/1"),
        (SECOND_EPOCH, 0, {0: (0, 9)}, "stream/q/2"),
        (SECOND_EPOCH, 3, None, "stream/q/1"),
    ],
)
def test_a_number_that_was_used_for_other_offsets_begins_an_epoch(
    records: list[Recorded],
    number: int,
    held: Mapping[int, tuple[int, int]] | None,
    application: str,
) -> None:
    def offsets() -> Offsets:
        assert held is not None, "a new number needs no look at the rows"
        return {"t1": held}

    newest: dict[str, Recorded] = {}
    for record in records:
        newest[record.batch.application_id] = record
    kept = {(record.batch.application_id, record.batch.batch_id): record for record in records}
    found = positions.application(
        newest.values(), lambda name, of: kept.get((name, of)), CHECKPOINT, number, offsets
    )
    assert found == application


def test_where_reading_goes_on_and_what_is_lost() -> None:
    log = BatchLog("nowhere", "t")
    for record in THREE:
        log.remember(record)
    assert log.ends("t1") == {0: 25, 1: 3}
    assert log.ends("t2") == {}
    lost = positions.lost({0: 25, 1: 3}, {0: 25, 1: 7, 2: 40})
    assert lost == {1: (3, 7)}
    assert positions.told(lost) == "partition 1: 3 to 6"


@pytest.mark.parametrize("age", [0.0, 0.3, 1.0, 7.5, 61.0, 3600.0, 3 * 86400.0])
def test_the_age_of_the_oldest_message_is_found_to_a_sixteenth(age: float) -> None:
    asked: list[float] = []

    def is_older(seconds: float) -> bool:
        asked.append(seconds)
        return age > seconds

    assert age <= positions.oldest(is_older) <= age + max(age, 1.0) / 16
    assert len(asked) <= 5 + max(0.0, math.log2(max(age, 1.0)) + 1)
