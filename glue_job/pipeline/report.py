"""What a batch is and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

ISO = "yyyy-MM-dd'T'HH:mm:ss.SSSSSS"
"""How Spark spells the times of a watermark."""

Offsets = Mapping[str, Mapping[int, tuple[int, int]]]
"""By topic id and partition: the first offset and the one after the last."""


@dataclass(frozen=True)
class Release:
    """What makes a batch a release from quarantine."""

    rank: int
    """Values of a later release count, before those of any delivery."""
    patch: Mapping[str, str | None]
    request_id: str
    reason: str
    by: str


@dataclass(frozen=True)
class Batch:
    """One micro-batch of one table, and what stays the same when it is replayed."""

    application_id: str
    batch_id: int
    processed_at: datetime
    config_hash: str
    source: str
    """The message file, or `kafka`."""
    is_guarded: bool = field(default=True, compare=False)
    """The circuit breaker may stop it: not when it was begun, or when the operator lets it pass."""
    release: Release | None = field(default=None, compare=False)
    is_whole: bool = field(default=False, compare=False)
    """Every offset of its ranges must be there: messages of a file may have gaps, Kafka's not."""


@dataclass(frozen=True)
class Watermark:
    """How far a table's accepted events reach: later ones need no look-up in the ledger.

    Times are ISO 8601 texts in UTC with microseconds, so that they compare as they sort.
    """

    effective: str = ""
    """The latest effective time of any event."""
    emission: str = ""
    """The latest emission of a change."""
    loaded: str = ""
    """The latest emission of a load."""
    commit_time_seen: bool = False
    sparse_moves: bool = False
    """Some key change left fields out, so that keys depend on each other."""

    def joined(self, other: Watermark) -> Watermark:
        """Give the watermark after both."""
        return Watermark(
            effective=max(self.effective, other.effective),
            emission=max(self.emission, other.emission),
            loaded=max(self.loaded, other.loaded),
            commit_time_seen=self.commit_time_seen or other.commit_time_seen,
            sparse_moves=self.sparse_moves or other.sparse_moves,
        )


@dataclass(frozen=True)
class Measured:
    """One row of the metrics table, but for table, batch and time."""

    metric: str
    column: str | None
    value: float | None
    """None where it could not be measured."""
    threshold: float | None = None
    passed: bool | None = None
    severity: str | None = None
    rule_id: str | None = None


@dataclass(frozen=True)
class BatchReport:
    """Every offset of a batch with its outcome, counted."""

    table: str
    batch: Batch
    consumed: int
    outcomes: Mapping[str, int]
    offsets: Offsets = field(default_factory=dict)
    topic: str = ""
    watermark: Watermark = field(default_factory=Watermark)
    measures: tuple[Measured, ...] = ()
    late: int = 0
    """Accepted events that had to be placed among earlier ones."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Messages by each rule they break and each other reason to refuse them."""
    earliest: str = ""
    """The earliest time of an accepted event, as in a watermark."""


@dataclass(frozen=True)
class Recorded:
    """A batch record as it stands in the batch log."""

    batch: Batch
    offsets: Offsets
    watermark: Watermark
    consumed: int
    outcomes: Mapping[str, int]

    def report(self, table: str, topic: str) -> BatchReport:
        """Say again what became of the batch."""
        return BatchReport(
            table=table,
            batch=self.batch,
            consumed=self.consumed,
            outcomes=self.outcomes,
            offsets=self.offsets,
            topic=topic,
            watermark=self.watermark,
        )
