"""Scenario folders laid into one lake: in order, as one batch, shuffled, each with keys of its own.

A batch of the job costs seconds whatever it holds, so all variants of all scenarios share a few.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from random import Random
from typing import Any

from tests.oracle.events import Key, Message
from tests.oracle.fold import Coordinate
from tests.oracle.judge import Judge
from tests.oracle.scenario import (
    ComparedRow,
    Line,
    Scenario,
    comparable,
    scenario_pipeline,
    source_of,
)

OFFSETS_PER_COPY = 1_000
KEYS_PER_VARIANT = 1_000_000
SHUFFLE_SEED = 20240501

IN_ORDER, ONE_BATCH, SHUFFLED = VARIANTS = ("in order", "one batch", "shuffled")
SHUFFLED_OVER = {"items": 3, "people": 2, "meters": 2}
"""Tables of one integer key, whose scenarios can be repeated under other keys, and how many files
a shuffled copy is spread over: as many as the table's scenarios have."""

_INTEGER = re.compile(r"(?<![\w.])\d+(?!\w)")

Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Copy:
    """One scenario in one variant, at its own place in the shared lake."""

    scenario: Scenario
    variant: str
    place: int

    @property
    def name(self) -> str:
        """Name the copy as a test id."""
        return f"{self.scenario.name}-{self.variant.replace(' ', '_')}"

    @property
    def first_offset(self) -> int:
        """Give the offset that stands for the folder's 0."""
        return self.place * OFFSETS_PER_COPY

    @property
    def key_shift(self) -> int:
        """Tell how far this copy's integer keys are from the folder's."""
        return VARIANTS.index(self.variant) * KEYS_PER_VARIANT

    @cached_property
    def scenario_keys(self) -> frozenset[Key]:
        """Name every key that the folder's messages speak of, visible or not."""
        judge = Judge(source_of(self.scenario.table, scenario_pipeline()))
        judge.take(map(Message.of, chain.from_iterable(self.scenario.batches)))
        return frozenset(judge.lake.timelines)

    @cached_property
    def keys(self) -> frozenset[Key]:
        """Name this copy's keys."""
        return frozenset(self._shifted(key) for key in self.scenario_keys)

    def _shifted(self, key: Key) -> Key:
        return tuple(part + self.key_shift for part in key) if self.key_shift else key

    def files(self) -> list[list[Line]]:
        """Give the messages of each batch file."""
        batches = [[self._line(line) for line in batch] for batch in self.scenario.batches]
        if self.variant == IN_ORDER:
            return batches
        lines = list(chain.from_iterable(batches))
        if self.variant == ONE_BATCH:
            return [lines]
        Random(f"{SHUFFLE_SEED}/{self.scenario.name}").shuffle(lines)
        files = SHUFFLED_OVER[self.scenario.table.name]
        return [lines[number::files] for number in range(files)]

    def _line(self, line: Line) -> Line:
        return {
            **line,
            "offset": line["offset"] + self.first_offset,
            "value": self._rekeyed(line["value"]),
        }

    def _rekeyed(self, value: str | None) -> str | None:
        """Replace the keys in the text, which otherwise stays as it is, digit for digit."""
        if value is None or not self.key_shift:
            return value

        def shifted(number: re.Match[str]) -> str:
            is_key = (int(number[0]),) in self.scenario_keys
            return str(int(number[0]) + self.key_shift) if is_key else number[0]

        return _INTEGER.sub(shifted, value)

    def rows_of(self, history: Iterable[Row]) -> list[Row]:
        """Pick this copy's rows, with the folder's keys."""
        names = self.scenario.table.primary_key
        rows = [row for row in history if tuple(row[name] for name in names) in self.keys]
        if not self.key_shift:
            return rows
        return [{**row, **{name: row[name] - self.key_shift for name in names}} for row in rows]

    def compared_rows(self, history: Iterable[Row]) -> list[ComparedRow]:
        """Give this copy's rows in the form of `Scenario.expected_rows`."""
        return comparable(self.rows_of(history), self.scenario.compared_columns)

    def place_of(self, coordinate: Coordinate) -> Coordinate | None:
        """Give the coordinate within the folder; None for one of another copy."""
        partition, offset = coordinate
        within = offset - self.first_offset
        return (partition, within) if 0 <= within < OFFSETS_PER_COPY else None


def copies_of(scenarios: Sequence[Scenario]) -> list[Copy]:
    """Give every scenario in order, and in the other variants where keys and verdicts allow it."""
    copies: list[Copy] = []
    for variant in VARIANTS:
        for scenario in scenarios:
            can_repeat = scenario.table.name in SHUFFLED_OVER and not scenario.arrival_matters
            if variant == IN_ORDER or can_repeat:
                copies.append(Copy(scenario, variant, place=len(copies)))
    return copies


def merged_files(copies: Iterable[Copy]) -> list[list[Line]]:
    """Lay the files of all copies over one another."""
    files: dict[int, list[Line]] = defaultdict(list)
    for copy in copies:
        for number, lines in enumerate(copy.files()):
            files[number].extend(lines)
    return [files[number] for number in sorted(files)]


def lines_of(table_topic: str, lines: Iterable[Line]) -> list[Line]:
    """Pick one table's messages."""
    return [line for line in lines if line["topic"] == table_topic]
