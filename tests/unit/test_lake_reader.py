"""The lake reader beside a writer, and the SQL it is asked in."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from deltalake import DeltaTable, QueryBuilder

from cdcctl.lake.reader import open_lake
from cdcctl.lake.sql import Value, identifier, literal
from cdcctl.operations import metrics
from cdcctl.operations.lakes import LakeRequest
from cdcctl.operations.metrics import MetricsRequest, follow_measurements
from tests.unit import lake_builder as build


@pytest.mark.parametrize(
    "value",
    [
        "it's",
        7,
        True,
        1.5,
        Decimal("-12.30"),
        Decimal("1E+3"),
        date(2026, 11, 22),
        datetime(2026, 11, 22, 10, 0, 0, 500, UTC),
    ],
)
def test_a_literal_is_the_value_itself(value: Value) -> None:
    (row,) = (
        QueryBuilder()
        .execute(f"SELECT {literal(value)} AS v")
        .read_all()
        .to_struct_array()
        .to_pylist()
    )
    assert row["v"] == value


def test_a_decimal_of_more_digits_than_the_lake_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 38 digits"):
        literal(Decimal("1" * 39))


def test_an_identifier_is_quoted() -> None:
    assert identifier('we"ird') == '"we""ird"'


def test_an_open_table_keeps_its_version_while_it_is_written(tmp_path: Path) -> None:
    build.write_metrics(tmp_path, [build.measurement(1, "size", 1.0)])
    table = open_lake(tmp_path, made_by="").metrics()
    assert table is not None
    build.write_metrics(tmp_path, [build.measurement(2, "size", 2.0)])
    assert table.query("SELECT count(*) AS n FROM lake_rows") == [{"n": 1}]


def test_a_table_that_was_compacted_meanwhile_is_read_in_its_new_version(tmp_path: Path) -> None:
    for batch in (1, 2):
        build.write_metrics(tmp_path, [build.measurement(batch, "size", 1.0)])
    table = open_lake(tmp_path, made_by="").metrics()
    assert table is not None
    writer = DeltaTable(table.path)
    writer.optimize.compact()
    writer.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    assert table.query("SELECT count(*) AS n FROM lake_rows") == [{"n": 2}]


def test_following_gives_each_measurement_once_as_it_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "POLL_SECONDS", 0.05)
    build.write_metrics(tmp_path, [build.measurement(b, "size", 1.0) for b in (1, 2, 3)])
    request = MetricsRequest(LakeRequest(tmp_path / "no.yaml", tmp_path))
    followed = follow_measurements(request, limit=2, timeout_seconds=0.5)
    assert [next(followed).batch_id, next(followed).batch_id] == [2, 3]
    build.write_metrics(tmp_path, [build.measurement(4, "size", 1.0)])
    DeltaTable(str(tmp_path / "delta" / "dq_metrics")).optimize.compact()
    assert [measured.batch_id for measured in followed] == [4]
