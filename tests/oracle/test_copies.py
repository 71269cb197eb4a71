"""The shared lake of the harness, on the judge: what it expects of the job is what folders say."""

from __future__ import annotations

from itertools import chain

import pytest

from tests.oracle.copies import Copy, copies_of, merged_files
from tests.oracle.events import Message
from tests.oracle.judge import Judge
from tests.oracle.scenario import load_scenarios, scenario_pipeline, source_of

SCENARIOS = load_scenarios()
COPIES = copies_of(SCENARIOS)


def by_name(copy: Copy) -> str:
    return copy.name


@pytest.mark.parametrize("copy", COPIES, ids=by_name)
def test_a_copy_gives_the_rows_of_its_folder(copy: Copy) -> None:
    judge = Judge(source_of(copy.scenario.table, scenario_pipeline()))
    for lines in copy.files():
        judge.take(map(Message.of, lines))
    assert copy.compared_rows(judge.lake.history) == copy.scenario.expected_rows
    refused = {copy.place_of(place): reasons for place, reasons in judge.quarantine.items()}
    assert refused == copy.scenario.quarantine


def test_no_two_copies_share_a_key() -> None:
    owners: dict[tuple[object, ...], str] = {}
    for copy in COPIES:
        for key in copy.keys:
            owner = owners.setdefault((copy.scenario.table.name, *key), copy.name)
            assert owner == copy.name, f"{copy.name} uses key {key} of {owner}"


def test_no_two_copies_share_an_offset() -> None:
    for copy in COPIES:
        for line in chain.from_iterable(merged_files([copy])):
            assert copy.place_of((line["partition"], line["offset"])) is not None
