"""Every scenario folder through the real job, all of them together in a few runs of `local run`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from random import Random

import pytest

from tests.oracle.events import Key, Message
from tests.oracle.fold import Coordinate
from tests.oracle.invariants import broken_invariants, miscounted
from tests.oracle.judge import Judge
from tests.oracle.scenario import (
    TABLES,
    Line,
    Scenario,
    comparable,
    load_scenarios,
    scenario_pipeline,
    source_of,
)
from tests.spark.engine import AppliedBatch, RefusedRow, Row, Workspace

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]

OFFSETS_PER_SCENARIO = 1_000
SHUFFLED_BATCHES = 3
SHUFFLE_SEED = 20240501

SCENARIOS = load_scenarios()
IN_ANY_ORDER = [scenario for scenario in SCENARIOS if not scenario.arrival_matters]
FIRST_OFFSET = {
    scenario.name: index * OFFSETS_PER_SCENARIO for index, scenario in enumerate(SCENARIOS)
}


def batches_of(scenario: Scenario) -> list[list[Line]]:
    """Give a scenario's batches with offsets that no other scenario uses."""
    shift = FIRST_OFFSET[scenario.name]
    return [
        [{**line, "offset": line["offset"] + shift} for line in batch] for batch in scenario.batches
    ]


def merged(scenarios: list[Scenario]) -> list[list[Line]]:
    """Lay the batches of all scenarios over one another."""
    files: dict[int, list[Line]] = defaultdict(list)
    for scenario in scenarios:
        for number, batch in enumerate(batches_of(scenario)):
            files[number].extend(batch)
    return [files[number] for number in sorted(files)]


@cache
def owned_keys(scenario: Scenario) -> frozenset[Key]:
    judge = Judge(source_of(scenario.table, scenario_pipeline()))
    judge.take(map(Message.of, chain.from_iterable(scenario.batches)))
    return frozenset(judge.lake.timelines)


@dataclass(frozen=True)
class Lake:
    """What one run wrote, by scenario."""

    batches: list[AppliedBatch]
    history: Mapping[str, list[Row]]
    quarantine: Mapping[str, Mapping[Coordinate, list[RefusedRow]]]

    @classmethod
    def of(cls, workspace: Workspace, batches: list[AppliedBatch]) -> Lake:
        names = {scenario.table.name for scenario in SCENARIOS}
        return cls(
            batches,
            {name: workspace.history(name) for name in names},
            {name: workspace.quarantine(name) for name in names},
        )

    def assert_equal_table(self, scenario: Scenario) -> None:
        keys = owned_keys(scenario)
        key_of = scenario.table.primary_key
        rows = [
            row
            for row in self.history[scenario.table.name]
            if tuple(row[name] for name in key_of) in keys
        ]
        assert comparable(rows, scenario.compared_columns) == scenario.expected_rows
        assert not broken_invariants(rows, key_of)

    def assert_equal_quarantine(self, scenario: Scenario) -> None:
        first = FIRST_OFFSET[scenario.name]
        mine = range(first, first + OFFSETS_PER_SCENARIO)
        warnings = {rule.id for rule in scenario.table.dq_rules if rule.severity == "warning"}
        found = {
            (partition, offset - first): [
                tuple(reason for reason in row.reasons if reason not in warnings) for row in rows
            ]
            for (partition, offset), rows in self.quarantine[scenario.table.name].items()
            if offset in mine
        }
        assert found == {place: [reasons] for place, reasons in scenario.quarantine.items()}

    def assert_nothing_else(self) -> None:
        known = {(s.table.name, key) for s in SCENARIOS for key in owned_keys(s)}
        for scenario in SCENARIOS:
            name, key_of = scenario.table.name, scenario.table.primary_key
            for row in self.history[name]:
                assert (name, tuple(row[column] for column in key_of)) in known


@pytest.fixture(scope="module")
def in_order(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("in_order"), TABLES)
    for number, lines in enumerate(merged(SCENARIOS), 1):
        workspace.add_file(f"batch-{number:02d}.jsonl", lines)
    return workspace


@pytest.fixture(scope="module")
def in_order_lake(in_order: Workspace) -> Lake:
    return Lake.of(in_order, in_order.run())


@pytest.fixture(scope="module")
def run_again_lake(in_order: Workspace, in_order_lake: Lake) -> Lake:
    """The same lake after a run without a new file, then with all batches again in a new one."""
    del in_order_lake
    versions = in_order.delta_versions()
    assert versions
    assert in_order.run() == []
    assert in_order.delta_versions() == versions, "a run without a new file wrote a new version"
    in_order.add_file("batch-99.jsonl", chain.from_iterable(merged(SCENARIOS)))
    return Lake.of(in_order, in_order.run())


@pytest.fixture(scope="module")
def one_batch_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    workspace = Workspace(tmp_path_factory.mktemp("one_batch"), TABLES)
    workspace.add_file("batch-01.jsonl", chain.from_iterable(merged(IN_ANY_ORDER)))
    return Lake.of(workspace, workspace.run())


@pytest.fixture(scope="module")
def shuffled_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    workspace = Workspace(tmp_path_factory.mktemp("shuffled"), TABLES)
    lines = list(chain.from_iterable(merged(IN_ANY_ORDER)))
    Random(SHUFFLE_SEED).shuffle(lines)
    for number in range(SHUFFLED_BATCHES):
        workspace.add_file(f"batch-{number:02d}.jsonl", lines[number::SHUFFLED_BATCHES])
    return Lake.of(workspace, workspace.run())


def by_name(scenario: Scenario) -> str:
    return scenario.name


@pytest.mark.parametrize("scenario", SCENARIOS, ids=by_name)
def test_batches_in_order_give_the_expected_lake(in_order_lake: Lake, scenario: Scenario) -> None:
    in_order_lake.assert_equal_table(scenario)
    in_order_lake.assert_equal_quarantine(scenario)


@pytest.mark.parametrize("scenario", IN_ANY_ORDER, ids=by_name)
def test_one_batch_gives_the_expected_lake(one_batch_lake: Lake, scenario: Scenario) -> None:
    one_batch_lake.assert_equal_table(scenario)
    one_batch_lake.assert_equal_quarantine(scenario)


@pytest.mark.parametrize("scenario", IN_ANY_ORDER, ids=by_name)
def test_shuffled_messages_give_the_expected_lake(shuffled_lake: Lake, scenario: Scenario) -> None:
    shuffled_lake.assert_equal_table(scenario)
    shuffled_lake.assert_equal_quarantine(scenario)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=by_name)
def test_batches_run_again_change_nothing(run_again_lake: Lake, scenario: Scenario) -> None:
    run_again_lake.assert_equal_table(scenario)
    run_again_lake.assert_equal_quarantine(scenario)


def test_every_offset_of_a_batch_run_again_is_a_duplicate(run_again_lake: Lake) -> None:
    assert run_again_lake.batches
    for batch in run_again_lake.batches:
        assert {name for name, count in batch.outcomes.items() if count} == {"duplicate"}, batch


def test_every_batch_has_the_expected_outcomes(in_order_lake: Lake) -> None:
    expected: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for scenario in SCENARIOS:
        for number, outcomes in enumerate(scenario.outcomes, 1):
            expected[(f"batch-{number:02d}.jsonl", scenario.table.name)].update(outcomes)
    found = {
        (batch.file, batch.table): Counter({k: n for k, n in batch.outcomes.items() if n})
        for batch in in_order_lake.batches
    }
    assert found == expected


@pytest.mark.parametrize("variant", ["in_order_lake", "one_batch_lake", "shuffled_lake"])
def test_outcomes_add_up(request: pytest.FixtureRequest, variant: str) -> None:
    lake: Lake = request.getfixturevalue(variant)
    for batch in lake.batches:
        assert miscounted(batch.consumed, batch.outcomes) is None, batch


@pytest.mark.parametrize("variant", ["in_order_lake", "one_batch_lake", "shuffled_lake"])
def test_no_row_comes_from_nowhere(request: pytest.FixtureRequest, variant: str) -> None:
    lake: Lake = request.getfixturevalue(variant)
    lake.assert_nothing_else()


def test_quarantine_keeps_the_raw_message(in_order_lake: Lake) -> None:
    sent = {
        (line["topic"], line["partition"], line["offset"]): line["value"]
        for line in chain.from_iterable(merged(SCENARIOS))
    }
    for refused in in_order_lake.quarantine.values():
        for (partition, offset), rows in refused.items():
            for row in rows:
                assert row.raw_value == sent[(row.topic, partition, offset)]


def test_a_bad_type_names_its_column(in_order_lake: Lake) -> None:
    first = FIRST_OFFSET["one_bad_field"]
    (refused,) = in_order_lake.quarantine["items"][(0, first + 1)]
    assert refused.columns == ("qty",)


def test_a_folder_of_this_suite_is_where_it_is_looked_for() -> None:
    assert Path(TABLES).is_file()
    assert len(SCENARIOS) > 90
