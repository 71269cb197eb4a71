"""query on a real Delta lake of the fleet's tables, through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cdcctl import app
from cdcctl.errors import ExitCode
from cdcctl.operations.named_queries import NamedQuery, read_queries
from cdcctl.operations.target import Target
from cdcctl.ui.output import schema_of
from glue_job.contract.loader import load
from tests.unit import lake_builder as build
from tests.unit.answering_aws import AnsweringAws

CONFIG = Path("config/tables.yaml")
QUERIES = read_queries(Path("config/analytics.sql"))
NOON = "2026-11-22T12:00:00Z"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "lake"
    pipeline = load(CONFIG.read_text(encoding="utf-8"), str(CONFIG)).pipeline
    assert pipeline is not None
    columns = {
        table.name: {column.name: column.type.spark_ddl for column in table.schema}
        for table in pipeline.streamed_tables
    }
    rows: dict[str, list[dict[str, object]]] = {
        "vehicles": [
            build.version(NOON, "2026-11-22T12:30:00Z", id=1, status="active", year=2020),
            build.version("2026-11-22T12:30:00Z", None, id=1, status="retired", year=2020),
            build.version(NOON, None, id=2, status="active", year=2024),
            build.version(NOON, "2026-11-22T13:00:00Z", id=3, status="active", year=2022),
        ],
        "drivers": [build.version(NOON, None, id=5, name="Ann", phone="555-0101")],
        "vehicle_telemetry": [
            build.version(NOON, None, id=1, vehicle_id=1, recorded_at=NOON, fuel_level_pct=3.5),
        ],
        "deliveries": [
            build.version(NOON, None, id=9, vehicle_id=1, driver_id=5, scheduled_time=NOON),
            build.version(
                NOON,
                None,
                id=10,
                driver_id=5,
                scheduled_time=NOON,
                actual_delivery_time="2026-11-22T14:00:00Z",
            ),
        ],
        "alerts": [build.version(NOON, None, id=4, severity="high", alert_type="speed")],
    }
    for name, versions in rows.items():
        build.write_history(folder, name, columns[name], versions)
    build.write_refused(
        folder,
        "vehicle_telemetry",
        columns["vehicle_telemetry"],
        [build.failure("tel_003", "range", "speed_kmh", {"max": 350}, "400")],
    )
    build.write_metrics(
        folder, [build.measurement(1, "completeness", 0.5, threshold=0.9, passed=False)]
    )
    build.write_batches(folder, [build.batch("vehicles", 1, consumed=7, applied=6, quarantined=1)])
    return folder


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = app.run(["query", *words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def rows_of(lake: Path, capsys: pytest.CaptureFixture[str], asked: str, *words: str) -> list[dict]:  # type: ignore[type-arg]
    code, out, err = answer(capsys, asked, "--lake", str(lake), "-o", "json", *words)
    assert code == 0, err
    document = json.loads(out)
    jsonschema.validate(document, schema_of("query/v1"))
    found: list[dict] = document["data"]["rows"]  # type: ignore[type-arg]
    return found


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_every_named_query_answers(
    query: NamedQuery, lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rows_of(lake, capsys, query.name)
    assert query.about.endswith(".")


def test_there_are_at_least_ten_named_queries_and_they_are_listed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = answer(capsys, "-o", "json")
    listed = json.loads(out)
    jsonschema.validate(listed, schema_of("queries/v1"))
    assert code == 0
    assert len(listed["data"]["queries"]) == len(QUERIES) >= 10


def test_only_current_versions_are_counted(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = rows_of(lake, capsys, "fleet_by_status")
    assert {row["status"]: row["vehicles"] for row in found} == {"active": 1, "retired": 1}


def test_the_time_between_two_versions_is_in_minutes(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stays,) = rows_of(lake, capsys, "vehicle_states")
    assert float(stays["mean_minutes"]) == 45.0


def test_a_late_delivery_is_counted_for_its_driver(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (driver,) = rows_of(lake, capsys, "late_deliveries")
    assert (driver["driver_id"], driver["delivered"], driver["late"]) == (5, 1, 1)


def test_sql_of_ones_own_is_answered(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sql = "WITH old AS (SELECT id FROM vehicles WHERE NOT _is_current) SELECT count(*) n FROM old"
    assert rows_of(lake, capsys, sql) == [{"n": 2}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name FROM drivers",
        "SELECT name AS driver FROM drivers",
        "SELECT upper(name) FROM drivers",
        "SELECT who FROM (SELECT concat(name, '!') AS who FROM drivers) AS d",
        "SELECT max(name) AS last_one FROM drivers",
    ],
)
def test_personal_data_is_masked_by_whatever_name_until_it_is_revealed(
    sql: str, lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = rows_of(lake, capsys, sql)
    assert list(row.values()) == ["****"]
    (row,) = rows_of(lake, capsys, sql, "--reveal")
    assert "ANN" in str(row).upper()


def test_a_count_of_personal_data_is_no_secret(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rows_of(lake, capsys, "SELECT count(name) AS n FROM drivers") == [{"n": 1}]


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        ("late_delivery", ExitCode.NOT_FOUND, "did you mean `late_deliveries`?"),
        ("DROP TABLE vehicles", ExitCode.USAGE, "only a SELECT"),
        ("SELECT 1; SELECT 2", ExitCode.USAGE, "2 statements"),
        ("SELECT FROM WHERE (", ExitCode.USAGE, "LAK031"),
        ("SELECT * FROM trucks", ExitCode.NOT_FOUND, "`trucks` is not in the lake"),
        ("SELECT wheels FROM vehicles", ExitCode.FAILED, "wheels"),
    ],
)
def test_what_cannot_be_answered_says_why(
    asked: str, code: int, said: str, lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen, _, err = answer(capsys, asked, "--lake", str(lake))
    assert (seen, said in err) == (code, True), err


def on_athena(monkeypatch: pytest.MonkeyPatch, **answers: Any) -> list[dict[str, Any]]:
    """Let the stack demo be an Athena that answers from a table; give what it was asked to run."""
    started: list[dict[str, Any]] = []

    def start(asked: dict[str, Any]) -> dict[str, str]:
        started.append(asked)
        return {"QueryExecutionId": "q-17"}

    aws = AnsweringAws({"start_query_execution": start, **answers})
    target = Target("demo", aws)  # type: ignore[arg-type]  # from a table
    monkeypatch.setattr("cdcctl.operations.query.open_target", lambda _: target)
    return started


def execution(state: str, reason: str = "", scanned: int = 0) -> dict[str, Any]:
    return {
        "QueryExecution": {
            "Status": {"State": state, "StateChangeReason": reason},
            "Statistics": {"DataScannedInBytes": scanned},
        }
    }


def test_athena_tells_what_it_scanned(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [["name", "n"], ["Ann", "3"], [None, "1"]]
    rows = [{"Data": [{"VarCharValue": v} if v else {} for v in row]} for row in values]
    started = on_athena(
        monkeypatch,
        get_query_execution=execution("SUCCEEDED", scanned=1_234_567),
        get_query_results=rows,
    )
    asked = "SELECT name, count(*) AS n FROM drivers GROUP BY name"
    code, out, err = answer(capsys, asked, "--stack", "demo", "-o", "json")
    assert code == 0, err
    document = json.loads(out)
    jsonschema.validate(document, schema_of("query/v1"))
    assert document["data"]["rows"] == [{"name": "****", "n": "3"}, {"name": None, "n": "1"}]
    assert document["data"]["scanned_bytes"] == 1_234_567
    assert started[0]["QueryString"] == asked
    assert started[0]["QueryExecutionContext"] == {"Database": "demo_db"}
    assert started[0]["ResultConfiguration"] == {
        "OutputLocation": "s3://demo-assets-123456789012/athena/"
    }
    _, out, _ = answer(capsys, asked, "--stack", "demo")
    assert out.splitlines()[-1].endswith("scanned by Athena: 1,234,567 bytes")


def test_why_athena_failed_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = "TABLE_NOT_FOUND: line 1:15: Table 'demo_db.ships' does not exist"
    on_athena(monkeypatch, get_query_execution=execution("FAILED", reason))
    code, out, err = answer(capsys, "SELECT * FROM ships", "--stack", "demo")
    assert (code, out) == (ExitCode.FAILED, "")
    assert err == (
        "error[AWS020]: Athena did not answer the query (failed)\n"
        f"  why:  {reason} (query q-17)\n"
        "  fix:  cdcctl sync-catalog   when a table is not found; else mend the SQL\n"
    )


def test_a_query_that_takes_too_long_is_stopped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[dict[str, Any]] = []
    on_athena(
        monkeypatch,
        get_query_execution=execution("RUNNING"),
        stop_query_execution=stopped.append,
    )
    words = ("--stack", "demo", "--timeout", "0")
    assert answer(capsys, "SELECT * FROM drivers", *words)[0] == ExitCode.TIMEOUT
    assert stopped == [{"QueryExecutionId": "q-17"}]


def test_without_lake_and_stack_the_choice_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CDCCTL_STACK", raising=False)
    code, _, err = answer(capsys, "freshness")
    assert code == ExitCode.USAGE
    assert "which stack?" in err


def test_a_damaged_table_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "lake" / "delta" / "vehicles" / "_delta_log"
    log.mkdir(parents=True)
    (log / "00000000000000000000.json").write_text("{", encoding="utf-8")
    code, _, err = answer(capsys, "fleet_by_status", "--lake", str(tmp_path / "lake"))
    assert code == ExitCode.FAILED
    assert "error[LAK005]: vehicles" in err
