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


def lost(expected: Ends, earliest: Ends) -> dict[int, tuple[int, int]]:
    """Give, by partition, the range that was not read and is not there any more."""
    return {
        partition: (expected[partition], first)
        for partition, first in sorted(earliest.items())
        if partition in expected and expected[partition] < first
    }


def application(
    newest: Iterable[Recorded],
    find: Callable[[str, int], Recorded | None],
    checkpoint: str,
    batch_id: int,
    offsets: Callable[[], Offsets],
) -> str:
    """Name the application that a batch of a checkpoint is written under: checkpoint and epoch.

    Delta knows a write by application and number alone. A checkpoint that was put back to an older
    state gives numbers that were used before to other offsets: they belong to a new epoch.

    Args:
        newest: the record of the newest batch of each application.
        find: finds the record of a batch by application and number.
        checkpoint: names the checkpoint, `stream/{query id}`.
        batch_id: the number that Spark gives the batch.
        offsets: reads what the batch holds; called only when its number was used before.
    """
    reached: dict[int, int] = {}
    for record in newest:
        owner, _, number = record.batch.application_id.rpartition("/")
        if owner == checkpoint and number.isdecimal():
            reached[int(number)] = record.batch.batch_id
    epoch = max(reached, default=0)
    used = [
        (known, same)
        for known in sorted(reached, reverse=True)
        if reached[known] >= batch_id
        and (same := find(f"{checkpoint}/{known}", batch_id)) is not None
    ]
    is_behind = reached.get(epoch, -1) >= batch_id
    if used or is_behind:
        held = offsets()
        for known, same in used:
            if same.offsets == held:
                return f"{checkpoint}/{known}"
    return f"{checkpoint}/{epoch + 1 if is_behind else epoch}"


def told(ranges: Mapping[int, tuple[int, int]]) -> str:
    """Spell ranges of offsets for an error."""
    return ", ".join(
        f"partition {partition}: {first} to {end - 1}" for partition, (first, end) in ranges.items()
    )
