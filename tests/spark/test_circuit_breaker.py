"""The circuit breaker stops a table before anything of the batch is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from cdcctl.ui import local_stack as view
from glue_job.consent import Consent
from glue_job.errors import JobError
from tests.spark.small_lake import CONFIG, TABLE, SmallLake, change
from tests.unit.test_monitor import Told

pytestmark = pytest.mark.spark

GUARDED = CONFIG.replace(
    "settings: {", "settings: {circuit_breaker: {max_quarantine_ratio: 0.25, min_rows: 4}, "
)
MESSAGES = [
    change("insert", 1, 1, name="Ann", age=30),
    change("insert", 2, 2, name="Bob", age=400),
    change("insert", 3, 3, name="Cid", age="x"),
    change("insert", 4, 4, name="Dan", age=40),
]


def test_a_batch_that_is_mostly_bad_is_not_written(
    spark: SparkSession,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake = SmallLake(spark, tmp_path, GUARDED)
    with pytest.raises(JobError) as stopped:
        lake.take(0, MESSAGES)
    error = stopped.value
    assert error.code == "LAK050"
    assert error.what == (
        "`people`: 2 of 4 messages of the batch would be quarantined, "
        "more than the circuit breaker's 25%"
    )
    assert error.why is not None
    assert "BAD_TYPE:age 1, age_range 1" in error.why
    assert "--allow-quarantine people" in (error.fix or "")
    # Who reads `local status` finds the cause and the way on, at 80 columns too.
    (tmp_path / "told").mkdir()
    told = Told(tmp_path / "told", stack=None)
    told.monitor.failed(error, failures=2)
    monkeypatch.setenv("COLUMNS", "80")
    view.show_status(told.stack(), with_limits=False)
    screen = " ".join(capsys.readouterr().out.split())
    assert "does not go on: LAK050: `people`: 2 of 4 messages" in screen
    assert "most of them fail BAD_TYPE:age 1, age_range 1" in screen
    assert "cdcctl start glue --allow-quarantine people" in screen
    assert set(lake.versions().values()) == {0}

    let_through = replace(lake, consent=Consent(allow_quarantine=(TABLE,)))
    assert let_through.take(0, MESSAGES).outcomes["quarantined"] == 2
    plain = SmallLake(spark, tmp_path / "plain")
    plain.take(0, MESSAGES)
    for table in ("history", "quarantine"):
        guarded, free = (found.content()[table] for found in (lake, plain))
        assert [row.split("_config_hash")[0] for row in guarded] == [
            row.split("_config_hash")[0] for row in free
        ]


def test_small_batches_and_begun_ones_pass(spark: SparkSession, tmp_path: Path) -> None:
    lake = SmallLake(spark, tmp_path, GUARDED)
    assert lake.take(0, MESSAGES[1:]).outcomes["quarantined"] == 2
    # The same messages again are re-reads, not news.
    assert lake.take(1, [change("insert", 9, 9, name="Eve", age=1), *MESSAGES[1:2]]).consumed == 2
