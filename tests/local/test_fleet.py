"""The fleet's rows are what config/tables.yaml accepts, and its bad rows what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cdcctl.local.expected import CannotProve, differences, lake_row, refusing_rules
from cdcctl.local.fleet import BAD_VALUES, NEW_ROWS, NEW_VALUES, TABLES, Fleet, FleetPlan
from cdcctl.operations.configuration import load_config
from glue_job.contract.model import Column, DqRule, Pipeline, Table, Transform
from glue_job.contract.types import DataType


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return load_config(Path(__file__).parents[2] / "config" / "tables.yaml").pipeline


@pytest.fixture
def fleet() -> Fleet:
    fleet = Fleet(FleetPlan(seed=5))
    fleet._live = {table: [1, 2, 3] for table in TABLES}
    return fleet


def as_stored(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """Give a row as PostgreSQL gives it back."""
    return {
        name: Decimal(str(value))
        if table.column(name).type.name == "decimal" and value is not None
        else value
        for name, value in row.items()
    }


@pytest.mark.parametrize("name", TABLES)
def test_good_rows_are_accepted_and_bad_ones_refused(
    pipeline: Pipeline, fleet: Fleet, name: str
) -> None:
    table = pipeline.table(name)
    for key in range(1, 200):
        row = as_stored(table, NEW_ROWS[name](fleet, key))
        assert set(row) == set(table.column_names)
        assert refusing_rules(table, row) == []
        assert refusing_rules(table, as_stored(table, row | NEW_VALUES[name](fleet))) == []
    for bad in BAD_VALUES[name]:
        assert refusing_rules(table, as_stored(table, row | bad)) != []


def test_a_speed_of_400_is_among_the_bad_rows() -> None:
    assert {"speed_kmh": 400.0} in BAD_VALUES["vehicle_telemetry"]


def test_the_same_seed_gives_the_same_rows() -> None:
    def rows(seed: int) -> list[dict[str, Any]]:
        fleet = Fleet(FleetPlan(seed=seed))
        fleet._live = {table: [1, 2, 3] for table in TABLES}
        return [NEW_ROWS[table](fleet, 7) for table in TABLES]

    assert rows(3) == rows(3) != rows(4)


def test_the_expected_row_is_after_the_transforms(pipeline: Pipeline, fleet: Fleet) -> None:
    table = pipeline.table("drivers")
    row = as_stored(table, NEW_ROWS["drivers"](fleet, 1))
    row |= {"name": " Ada ", "phone": "555-0101", "license_number": "DL100037"}
    wanted = lake_row(table, row)
    assert (wanted["name"], wanted["phone"], wanted["license_number"]) == (
        "Ada",
        "555-****",
        "****0037",
    )
    assert differences(table, (1,), row, wanted) == []
    (difference,) = differences(table, (1,), row, wanted | {"name": "Eve"})
    assert (difference.column, difference.expected, difference.found) == ("name", "Ada", "Eve")


def table_with(rule: DqRule | None = None, step: Transform | None = None) -> Table:
    columns = (Column("id", DataType("integer")), Column("x", DataType("double")))
    return Table(
        name="t",
        topic="cdc-t",
        delta_path="",
        primary_key=("id",),
        schema=columns,
        dq_rules=(rule,) if rule else (),
        transforms=(step,) if step else (),
    )


def test_numbers_round_half_up_and_times_compare_with_or_without_a_zone() -> None:
    table = table_with(step=Transform("t1", "round", "x", {"decimals": 2}))
    assert lake_row(table, {"id": 1, "x": 2.675})["x"] == 2.68
    aware = datetime(2026, 1, 1, tzinfo=UTC)
    assert differences(table_with(), (1,), {"id": 1, "x": aware}, {"id": 1, "x": aware}) == []
    naive = aware.replace(tzinfo=None)
    assert differences(table_with(), (1,), {"id": 1, "x": aware}, {"id": 1, "x": naive}) == []


def test_a_null_passes_unless_the_rule_says_otherwise() -> None:
    lenient = DqRule("r", "range", "x", {"min": 0})
    strict = DqRule("r", "range", "x", {"min": 0}, nulls="fail")
    assert refusing_rules(table_with(lenient), {"id": 1, "x": None}) == []
    assert refusing_rules(table_with(strict), {"id": 1, "x": None}) == ["r"]


def test_what_is_not_known_is_never_passed() -> None:
    with pytest.raises(CannotProve, match="not_blank"):
        refusing_rules(table_with(DqRule("r", "not_blank", "x")), {"id": 1, "x": "a"})
    with pytest.raises(CannotProve, match="hash"):
        lake_row(table_with(step=Transform("t1", "hash", "x")), {"id": 1, "x": "a"})
