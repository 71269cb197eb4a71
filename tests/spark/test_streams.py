"""Random change streams through the real job, against the judge; a failing stream is made small."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random, SystemRandom

import pytest

from tests.oracle.events import Message
from tests.oracle.judge import BatchResult, Judge
from tests.oracle.scenario import comparable, load_pipeline, source_of
from tests.oracle.streams import (
    CONFIG,
    TABLE,
    Stream,
    describe,
    index_of_key,
    index_of_offset,
    random_stream,
    render,
)
from tests.spark.engine import Row, Workspace

pytestmark = pytest.mark.spark

PIPELINE = load_pipeline(CONFIG)
STREAM_TABLE = PIPELINE.table(TABLE)
BATCHES = 4
CI_SEED = 20240501
CI_STREAMS = 1_000
NIGHTLY_STREAMS = 10_000
GROUPS = 4
"""Parts a failing set is split into, to find the stream with a wrong outcome."""
MAX_ROUNDS = 8
"""Bounds the runs spent on making a failing stream small."""


@dataclass(frozen=True)
class Verdict:
    """Where job and judge differ: by stream, and by trial in the outcomes of its batches."""

    of_stream: dict[int, str]
    of_trial: dict[int, str]


def compare(trials: Sequence[Sequence[Stream]], workspace: Workspace) -> Verdict:
    """Run trials one after another in one lake, each in batch files of its own."""
    streams = [stream for trial in trials for stream in trial]
    judge = Judge(source_of(STREAM_TABLE, PIPELINE))
    expected: dict[str, BatchResult] = {}
    first = 0
    for number, trial in enumerate(trials):
        padded = [*[()] * first, *trial]
        first += len(trial)
        for batch, lines in enumerate(render(padded, BATCHES)):
            if lines:
                name = f"{number:03d}-{batch}.jsonl"
                workspace.add_file(name, lines)
                expected[name] = judge.take(map(Message.of, lines))
    found = {batch.file: batch.outcomes for batch in workspace.run()}
    of_trial: dict[int, str] = {}
    for name, result in expected.items():
        if not result.agrees_with(found.get(name, {})):
            difference = f"{name}: expected {result.outcomes}, got {+Counter(found.get(name))}"
            of_trial.setdefault(int(name[:3]), difference)
    return Verdict(differing_streams(judge, workspace, len(streams)), of_trial)


def differing_streams(judge: Judge, workspace: Workspace, count: int) -> dict[int, str]:
    """Compare history and quarantine stream by stream."""
    columns = STREAM_TABLE.column_names
    expected = by_stream(judge.lake.history, lambda row: index_of_key(row["id"]))
    found = by_stream(workspace.history(TABLE), lambda row: index_of_key(row["id"]))
    refused = workspace.quarantine(TABLE)
    expected_refused: dict[int, dict[str, list[tuple[str, ...]]]] = defaultdict(dict)
    found_refused: dict[int, dict[str, list[tuple[str, ...]]]] = defaultdict(dict)
    for (partition, offset), reasons in judge.quarantine.items():
        expected_refused[index_of_offset(offset)][f"{partition}/{offset}"] = [reasons]
    for (partition, offset), rows in refused.items():
        found_refused[index_of_offset(offset)][f"{partition}/{offset}"] = [
            row.reasons for row in rows
        ]
    differences = {}
    for index in range(count):
        want, got = (comparable(rows[index], columns) for rows in (expected, found))
        if want != got:
            differences[index] = f"history\n expected {pretty(want)}\n got {pretty(got)}"
        elif expected_refused[index] != found_refused[index]:
            differences[index] = (
                f"quarantine\n expected {expected_refused[index]}\n got {found_refused[index]}"
            )
    return differences


def by_stream(rows: Iterable[Row], index_of: Callable[[Row], int]) -> dict[int, list[Row]]:
    parted: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        parted[index_of(row)].append(row)
    return parted


def pretty(rows: Iterable[tuple[tuple[str, object], ...]]) -> str:
    return "".join("\n  " + ", ".join(f"{name}={value}" for name, value in row) for row in rows)


class Isolation:
    """Finds one failing stream and cuts it down, each round being one run of the job."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rounds = 0

    def compare(self, trials: Sequence[Sequence[Stream]]) -> Verdict:
        self.rounds += 1
        return compare(trials, Workspace(self.folder / f"round-{self.rounds:02d}", CONFIG))

    def smallest_by_table(self, stream: Stream) -> Stream:
        """Cut a stream whose rows differ: all its parts go through the job in one run."""
        for _ in range(MAX_ROUNDS):
            parts = without_one(stream)
            failing = self.compare([parts]).of_stream if parts else {}
            if not failing:
                break
            stream = parts[min(failing)]
        return stream

    def smallest_by_outcome(self, stream: Stream) -> Stream:
        """Cut a stream whose outcomes differ: each part is a trial of its own."""
        for _ in range(MAX_ROUNDS):
            parts = without_one(stream)
            failing = self.compare([[part] for part in parts]).of_trial if parts else {}
            if not failing:
                break
            stream = parts[min(failing)]
        return stream

    def stream_of_wrong_outcome(self, streams: list[Stream]) -> Stream:
        """Split the set until one stream is left."""
        while len(streams) > 1:
            size = -(-len(streams) // GROUPS)
            groups = [streams[at : at + size] for at in range(0, len(streams), size)]
            failing = self.compare(groups).of_trial
            if not failing:
                break
            streams = groups[min(failing)]
        return streams[0]


def without_one(stream: Stream) -> list[Stream]:
    """Give the stream without each half, then without each message."""
    half = len(stream) // 2
    parts = [stream[:half], stream[half:]] if len(stream) > 3 else []
    return parts + [stream[:at] + stream[at + 1 :] for at in range(len(stream)) if len(stream) > 1]


def check_streams(seed: int, count: int, folder: Path) -> None:
    print(f"seed {seed}, {count} streams")  # noqa: T201 - shown when the test fails
    streams = [random_stream(Random(f"{seed}/{index}"), BATCHES) for index in range(count)]
    verdict = compare([streams], Workspace(folder / "all", CONFIG))
    isolation = Isolation(folder)
    if verdict.of_stream:
        index = min(verdict.of_stream, key=lambda index: len(streams[index]))
        small = isolation.smallest_by_table(streams[index])
        difference = isolation.compare([[small]]).of_stream.get(0, verdict.of_stream[index])
        pytest.fail(
            f"seed {seed}: {len(verdict.of_stream)} of {count} streams differ;"
            f" stream {index}, made small:\n{describe(small)}\n{difference}"
        )
    if verdict.of_trial:
        small = isolation.smallest_by_outcome(isolation.stream_of_wrong_outcome(streams))
        difference = isolation.compare([[small]]).of_trial.get(0, "not by itself")
        pytest.fail(
            f"seed {seed}: outcomes differ: {verdict.of_trial}\n"
            f"one stream, made small:\n{describe(small)}\n{difference}"
        )


@pytest.mark.timeout(900)
def test_a_thousand_streams_are_judged_alike(tmp_path: Path) -> None:
    check_streams(int(os.environ.get("CDCCTL_STREAM_SEED", CI_SEED)), CI_STREAMS, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif("CDCCTL_NIGHTLY" not in os.environ, reason="set CDCCTL_NIGHTLY=1")
def test_ten_thousand_fresh_streams_are_judged_alike(tmp_path: Path) -> None:
    seed = int(os.environ.get("CDCCTL_STREAM_SEED", SystemRandom().randrange(2**32)))
    check_streams(seed, NIGHTLY_STREAMS, tmp_path)
