"""I1-I4 and I7 over rows, however they came about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from glue_job.contract.lake import OUTCOMES

Row = Mapping[str, Any]
Key = tuple[Any, ...]
END_OF_TIME = datetime.max.replace(tzinfo=UTC)


def broken_invariants(
    rows: Iterable[Row],
    primary_key: Sequence[str],
    deletions: Collection[tuple[Key, datetime]] | None = None,
) -> list[str]:
    """Name what is wrong in a history table; without `deletions` a gap is taken for a delete's."""
    by_key: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        by_key[tuple(row[name] for name in primary_key)].append(row)
    return [
        f"{problem} of key {key}"
        for key, of_key in by_key.items()
        for problem in _of_key(key, of_key, deletions)
    ]


def _of_key(
    key: Key, rows: list[Row], deletions: Collection[tuple[Key, datetime]] | None
) -> Iterator[str]:
    ordered = sorted(
        rows, key=lambda row: (row["_effective_from"], row["_effective_to"] or END_OF_TIME)
    )
    if sum(row["_is_current"] for row in rows) > 1:
        yield "I1: two current rows"
    for row in ordered:
        if row["_is_current"] != (row["_effective_to"] is None):
            yield f"I1: _is_current and _effective_to disagree at {row['_effective_from']}"
        if row["_effective_to"] is not None and row["_effective_to"] <= row["_effective_from"]:
            yield f"I3: empty interval at {row['_effective_from']}"
    for row, following in pairwise(ordered):
        end, start = row["_effective_to"], following["_effective_from"]
        if end is None or end > start:
            yield f"I2: overlap at {start}"
        elif end < start and deletions is not None and (key, end) not in deletions:
            yield f"I4: a gap without a delete at {end}"


def miscounted(consumed: int, outcomes: Mapping[str, int]) -> str | None:
    """I7: consumed = the sum of the seven outcomes."""
    unknown = set(outcomes) - set(OUTCOMES)
    if unknown:
        return f"I7: unknown outcomes {sorted(unknown)}"
    total = sum(outcomes.values())
    return None if total == consumed else f"I7: consumed {consumed}, outcomes {total}"
