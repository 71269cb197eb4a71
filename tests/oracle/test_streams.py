"""The judge against itself and against the source, over random streams."""

from __future__ import annotations

from decimal import Decimal
from itertools import chain
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from glue_job.contract.lake import OUTCOMES
from tests.oracle.events import Message
from tests.oracle.invariants import broken_invariants, miscounted
from tests.oracle.judge import Judge
from tests.oracle.scenario import comparable, load_pipeline, source_of
from tests.oracle.streams import (
    CONFIG,
    TABLE,
    WITHOUT_FAULTS,
    Row,
    SourceTable,
    Stream,
    deliver,
    keys_of,
    random_stream,
    render,
)

PIPELINE = load_pipeline(CONFIG)
STREAM_TABLE = PIPELINE.table(TABLE)
BATCHES = 4

randoms = st.randoms(use_true_random=False)


def judge_of(batches: list[list[Message]]) -> Judge:
    """Take the batches, with the invariants after every one."""
    judge = Judge(source_of(STREAM_TABLE, PIPELINE))
    for batch in batches:
        result = judge.take(batch)
        assert miscounted(result.consumed, result.outcomes) is None
        assert result.consumed == len({message.coordinate for message in batch})
        rows, deletions = judge.lake.history, judge.lake.deletions
        assert not broken_invariants(rows, STREAM_TABLE.primary_key, deletions)
    return judge


def batches_of(stream: Stream) -> list[list[Message]]:
    return [list(map(Message.of, lines)) for lines in render([stream], BATCHES)]


@settings(max_examples=80, deadline=None)
@given(randoms, randoms)
def test_order_and_batching_do_not_matter(of_stream: Random, of_delivery: Random) -> None:
    batches = batches_of(random_stream(of_stream, BATCHES))
    judge = judge_of(batches)
    messages = list(chain.from_iterable(batches))
    of_delivery.shuffle(messages)
    size = of_delivery.randint(1, max(1, len(messages)))
    other = judge_of([messages[at : at + size] for at in range(0, len(messages), size)])
    columns = STREAM_TABLE.column_names
    assert comparable(other.lake.history, columns) == comparable(judge.lake.history, columns)
    assert other.quarantine == judge.quarantine


@settings(max_examples=40, deadline=None)
@given(randoms)
def test_a_replay_changes_nothing(of_stream: Random) -> None:
    batches = batches_of(random_stream(of_stream, BATCHES))
    judge = judge_of(batches)
    history = judge.lake.history
    for batch in batches:
        assert set(judge.take(batch).outcomes) <= {"duplicate", "control", "tombstone"}
    assert judge.lake.history == history


@settings(max_examples=40, deadline=None)
@given(randoms, randoms)
def test_without_faults_the_current_rows_are_the_rows_of_the_source(
    of_stream: Random, of_delivery: Random
) -> None:
    source = SourceTable(of_stream, WITHOUT_FAULTS)
    changes = source.run(of_stream.randint(1, 8))
    stream = deliver(of_stream, changes, BATCHES, WITHOUT_FAULTS)
    messages = list(chain.from_iterable(batches_of(stream)))
    of_delivery.shuffle(messages)
    current = [row for row in judge_of([messages]).lake.history if row["_is_current"]]
    stored = {
        row["id"]: {name: row[name] for name in ("name", "qty", "price", "note")} for row in current
    }
    assert stored == {keys_of(0)[key]: as_stored(row) for key, row in source.rows.items()}


def as_stored(row: Row) -> Row:
    return {
        **row,
        "name": row["name"] and row["name"].strip(),
        "price": row["price"] and Decimal(row["price"]),
    }


def test_streams_hold_every_outcome_and_refusal() -> None:
    """A generator that never makes a thing proves nothing about it."""
    batches = [
        list(map(Message.of, lines))
        for lines in render([random_stream(Random(n), BATCHES) for n in range(300)], BATCHES)
    ]
    judge = Judge(source_of(STREAM_TABLE, PIPELINE))
    outcomes = [judge.take(batch).outcomes for batch in batches]
    assert set().union(*outcomes) == set(OUTCOMES)
    assert set(chain.from_iterable(judge.quarantine.values())) == {
        "BAD_JSON",
        "BAD_TYPE",
        "NULL_KEY",
        "NO_SEQUENCE",
        "UNKNOWN_OPERATION",
        "WRONG_TABLE",
        "str_name",
        "str_qty",
    }
    assert any(timeline.hidden for timeline in judge.lake.timelines.values())
