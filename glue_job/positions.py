"""How far a table has read its topic: what the batch log says, against what Spark and Kafka say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from glue_job.pipeline.report import Offsets, Recorded

Ends = Mapping[int, int]
"""By partition: an offset."""

_LONGEST_LAG_SECONDS = 2.0**25
_REFINEMENTS = 4


@dataclass(frozen=True)
class Lag:
    """What of a topic was not taken yet."""

    messages: int
    seconds: float
    """The age of the oldest of them."""


def oldest(is_older: Callable[[float], bool]) -> float:
    """Find the age of the oldest message, in seconds, at most a sixteenth too high.

    `is_older` tells whether there is a message older than so many seconds; it is asked some ten
    times.
    """
    low, high = 0.0, 1.0
    while high < _LONGEST_LAG_SECONDS and is_older(high):
        low, high = high, 2 * high
    for _ in range(_REFINEMENTS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_older(middle) else (low, middle)
    return high


def ends(records: Iterable[Recorded], topic_id: str) -> dict[int, int]:
    """Give, by partition, the offset after the last one that any batch has read."""
    found: dict[int, int] = {}
    for record in records:
        for partition, (_, end) in record.offsets.get(topic_id, {}).items():
            found[partition] = max(end, found.get(partition, 0))
    return found


def lost(expected: Ends, earliest: Ends) -> dict[int, tuple[int, int]]:
    """Give, by partition, the range that was not read and is not there any more."""
    return {
        partition: (expected[partition], first)
        for partition, first in sorted(earliest.items())
        if partition in expected and expected[partition] < first
    }


def application(
    records: Iterable[Recorded], checkpoint: str, batch_id: int, offsets: Callable[[], Offsets]
) -> str:
    """Name the application that a batch of a checkpoint is written under: checkpoint and epoch.

    Delta knows a write by application and number alone. A checkpoint that was put back to an older
    state gives numbers that were used before to other offsets: they belong to a new epoch.

    Args:
        records: the batch log of the table.
        checkpoint: names the checkpoint, `stream/{query id}`.
        batch_id: the number that Spark gives the batch.
        offsets: reads what the batch holds; called only when its number was used before.
    """
    used: dict[int, dict[int, Recorded]] = {}
    for record in records:
        owner, _, number = record.batch.application_id.rpartition("/")
        if owner == checkpoint and number.isdecimal():
            used.setdefault(int(number), {})[record.batch.batch_id] = record
    epoch = max(used, default=0)
    if any(number >= batch_id for number in used.get(epoch, {})) or any(
        batch_id in numbers for numbers in used.values()
    ):
        held = offsets()
        for known in sorted(used, reverse=True):
            same = used[known].get(batch_id)
            if same is not None and same.offsets == held:
                return f"{checkpoint}/{known}"
        if any(number >= batch_id for number in used.get(epoch, {})):
            epoch += 1
    return f"{checkpoint}/{epoch}"


def told(ranges: Mapping[int, tuple[int, int]]) -> str:
    """Spell ranges of offsets for an error."""
    return ", ".join(
        f"partition {partition}: {first} to {end - 1}" for partition, (first, end) in ranges.items()
    )
