"""Every scenario folder through the real job: in order, as one batch, shuffled, and run again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

import pytest

from tests.oracle.copies import Copy, copies_of, lines_of, merged_files
from tests.oracle.events import Message
from tests.oracle.fold import Coordinate
from tests.oracle.invariants import broken_invariants, miscounted
from tests.oracle.judge import Judge
from tests.oracle.scenario import TABLES, Line, load_scenarios, scenario_pipeline, source_of
from tests.spark.engine import AppliedBatch, RefusedRow, Row, Workspace

pytestmark = [pytest.mark.spark, pytest.mark.timeout(1800)]

SCENARIOS = load_scenarios()
COPIES = copies_of(SCENARIOS)
FILES = {f"batch-{number:02d}.jsonl": lines for number, lines in enumerate(merged_files(COPIES), 1)}
REPLAY = "batch-99.jsonl"
REPLAYED_TABLES = ("items", "stock", "people")


@dataclass(frozen=True)
class Lake:
    """What one run wrote."""

    workspace: Workspace
    batches: list[AppliedBatch]
    history: Mapping[str, list[Row]]
    quarantine: Mapping[str, Mapping[Coordinate, list[RefusedRow]]]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Take all files, then all messages once more under their old offsets (C16, C17)."""
    workspace = Workspace(tmp_path_factory.mktemp("scenarios"), TABLES)
    for name, lines in FILES.items():
        workspace.add_file(name, lines)
    workspace.add_file(REPLAY, replayed_lines())
    batches = workspace.run()
    names = scenario_tables()
    return Lake(
        workspace,
        batches,
        {name: workspace.history(name) for name in names},
        {name: workspace.quarantine(name) for name in names},
    )


def scenario_tables() -> list[str]:
    return sorted({scenario.table.name for scenario in SCENARIOS})


def replayed_lines() -> list[Line]:
    topics = {scenario_pipeline().table(name).topic for name in REPLAYED_TABLES}
    return [line for line in chain.from_iterable(FILES.values()) if line["topic"] in topics]


def expected_outcomes() -> dict[tuple[str, str], Counter[str]]:
    """Ask the judge, which the folders' own counts were held against."""
    expected = {}
    for name in scenario_tables():
        table = scenario_pipeline().table(name)
        judge = Judge(source_of(table, scenario_pipeline()))
        for file, lines in (FILES | {REPLAY: replayed_lines()}).items():
            result = judge.take(map(Message.of, lines_of(table.topic, lines)))
            if result.consumed:
                expected[file, name] = result.outcomes
    return expected


def by_name(copy: Copy) -> str:
    return copy.name


@pytest.mark.parametrize("copy", COPIES, ids=by_name)
def test_the_lake_is_as_expected(lake: Lake, copy: Copy) -> None:
    table = copy.scenario.table
    assert copy.compared_rows(lake.history[table.name]) == copy.scenario.expected_rows
    assert not broken_invariants(copy.rows_of(lake.history[table.name]), table.primary_key)
    warnings = {rule.id for rule in table.dq_rules if rule.severity == "warning"}
    refused = {
        place: [tuple(reason for reason in row.reasons if reason not in warnings) for row in rows]
        for coordinate, rows in lake.quarantine[table.name].items()
        if (place := copy.place_of(coordinate)) is not None
    }
    assert refused == {place: [reasons] for place, reasons in copy.scenario.quarantine.items()}


def test_no_row_comes_from_nowhere(lake: Lake) -> None:
    known: dict[str, set[tuple[object, ...]]] = defaultdict(set)
    for copy in COPIES:
        known[copy.scenario.table.name] |= copy.keys
    for name, rows in lake.history.items():
        primary_key = scenario_pipeline().table(name).primary_key
        assert {tuple(row[column] for column in primary_key) for row in rows} <= known[name]


def test_every_batch_has_the_expected_outcomes(lake: Lake) -> None:
    found = {
        (batch.file, batch.table): Counter({k: n for k, n in batch.outcomes.items() if n})
        for batch in lake.batches
    }
    assert found == expected_outcomes()


def test_outcomes_add_up(lake: Lake) -> None:
    for batch in lake.batches:
        assert miscounted(batch.consumed, batch.outcomes) is None, batch


def test_every_row_that_is_read_again_is_a_duplicate(lake: Lake) -> None:
    replays = [batch for batch in lake.batches if batch.file == REPLAY]
    assert {batch.table for batch in replays} == set(REPLAYED_TABLES)
    for batch in replays:
        counted = {name for name, count in batch.outcomes.items() if count}
        assert counted <= {"duplicate", "control", "tombstone"}, batch


def test_a_run_without_a_new_file_changes_nothing(lake: Lake) -> None:
    versions = lake.workspace.delta_versions()
    assert versions
    assert lake.workspace.run() == []
    assert lake.workspace.delta_versions() == versions


def test_quarantine_keeps_the_raw_message(lake: Lake) -> None:
    sent = {
        (line["topic"], line["partition"], line["offset"]): line["value"]
        for line in chain.from_iterable(FILES.values())
    }
    for refused in lake.quarantine.values():
        for (partition, offset), rows in refused.items():
            for row in rows:
                assert row.raw_value == sent[row.topic, partition, offset]


def test_a_bad_type_names_its_column(lake: Lake) -> None:
    copy = next(copy for copy in COPIES if copy.scenario.name == "one_bad_field")
    (refused,) = lake.quarantine["items"][0, copy.first_offset + 1]
    assert refused.columns == ("qty",)
