"""A local source that was made for an older config gains its new columns."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import jsonschema
import pytest

from cdcctl import app
from cdcctl.compile.ddl import column_additions, table_statements
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.local.postgres import PostgresServer
from cdcctl.local.source_setup import apply_statements
from cdcctl.ui.output import schema_of
from glue_job.contract.loader import load
from tests.local.running_stack import RunningStack
from tests.local.test_lambdas import CONFIG

pytestmark = pytest.mark.local
COLOR = "      - {name: color, type: string}\n"
REQUIRED = "      - {name: color, type: string, nullable: false}\n"


def set_up(running: RunningStack, config: str) -> None:
    pipeline = load(config, "tables.yaml").pipeline
    assert pipeline is not None
    statements = [
        (each.name, each.sql) for each in (*table_statements(pipeline), *column_additions(pipeline))
    ]
    columns = {
        f"lambda_made.{table.name}": tuple(column.name for column in table.schema)
        for table in pipeline.streamed_tables
    }
    server = PostgresServer(running.stack, int(running.report.postgres["port"]))
    with closing(server.connect()) as connection:
        apply_statements(connection, statements, columns)


def test_a_column_that_may_be_null_is_added_and_rows_stay(running: RunningStack) -> None:
    try:
        set_up(running, CONFIG)
        running.sql("INSERT INTO lambda_made.cars VALUES (1, 'x', 1.5, now())")
        set_up(running, CONFIG + COLOR)
        running.sql("UPDATE lambda_made.cars SET color = 'red' WHERE id = 1")
    finally:
        running.sql("DROP SCHEMA IF EXISTS lambda_made CASCADE")


def test_a_column_that_rows_must_have_is_refused(running: RunningStack) -> None:
    try:
        set_up(running, CONFIG)
        with pytest.raises(CdcctlError) as caught:
            set_up(running, CONFIG + REQUIRED)
        assert caught.value.code == "LOC041"
    finally:
        running.sql("DROP SCHEMA IF EXISTS lambda_made CASCADE")


def reached(running: RunningStack, monkeypatch: pytest.MonkeyPatch) -> tuple[PostgresServer, str]:
    """Give the server and its address; the password stands in the environment."""
    server = PostgresServer(running.stack, int(running.report.postgres["port"]))
    held = server.parameters()
    monkeypatch.setenv("PGPASSWORD", held["password"])
    address = f"postgresql://{held['user']}@{held['host']}:{held['port']}/{held['dbname']}"
    return server, address


def test_init_drafts_a_config_from_the_catalog(
    running: RunningStack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    running.sql(
        "CREATE SCHEMA drafted; CREATE TYPE drafted.mood AS ENUM ('good', 'it''s bad');"
        "CREATE TABLE drafted.lines (note text, line int, trip varchar(9), how drafted.mood,"
        ' price numeric(9,2) NOT NULL, "Odd" int, PRIMARY KEY (trip, line));'
        "CREATE TABLE drafted.keyless (id int)"
    )
    _, address = reached(running, monkeypatch)
    try:
        assert app.run(["init", str(tmp_path), "--from-db", address, "--schema", "drafted"]) == 0
        assert app.run(["init", str(tmp_path / "x"), "--from-db", address, "--schema", "no"]) == 5
    finally:
        running.sql("DROP SCHEMA drafted CASCADE")
    shown = capsys.readouterr().err
    assert "table keyless is left out: it has no primary key" in shown
    assert "column lines.Odd is left out" in shown
    assert "error[DB005]" in shown
    text = (tmp_path / "config/tables.yaml").read_text()
    assert text.partition("tables:\n")[2].splitlines() == [
        "  - name: lines",
        "    primary_key: [trip, line]",
        "    schema:",
        "      - {name: note, type: string, source_type: text}",
        "      - {name: line, type: integer, nullable: false}",
        '      - {name: trip, type: string, source_type: "varchar(9)", nullable: false}',
        "      - {name: how, type: string, source_type: text} # at the source: drafted.mood",
        '      - {name: price, type: "decimal(9,2)", nullable: false}',
        "    # dq_rules:",
        "    #   - {id: lines_001, type: allowed_values, column: how,"
        ' params: {values: ["good", "it\'s bad"]}, severity: error}',
        "    #   - {id: lines_002, type: not_null, column: price, severity: error}",
    ]


ODD = """
CREATE SCHEMA odd;
CREATE DOMAIN odd.percent AS numeric(5,2) CHECK (VALUE BETWEEN 0 AND 100);
CREATE TABLE odd."select" (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "user" varchar(40) NOT NULL, "desc" text,
    code char(3), many integer[], doc jsonb, raw bytea, ident uuid, share odd.percent,
    at timestamptz DEFAULT now(), day date, clock time, lasts interval, big numeric,
    wide numeric(60,2), tiny smallint, fast real, is_on boolean,
    twice bigint GENERATED ALWAYS AS (id * 2) STORED
);
CREATE TABLE odd.legs (stop int, trip uuid, day date, note text, PRIMARY KEY (trip, day, stop));
CREATE TABLE odd."Upper Case" (id int PRIMARY KEY);
CREATE TABLE odd.keyless (id int);
CREATE VIEW odd.seen AS SELECT id FROM odd."select";
"""


def test_what_init_drafts_from_odd_tables_is_valid_and_makes_them_again(
    running: RunningStack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    types = (
        "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
        " WHERE table_schema = 'odd' AND table_name IN ('select', 'legs') ORDER BY 1, 2"
    )
    keys = (
        "SELECT attrelid::regclass::text, attname, attnum FROM pg_index JOIN pg_attribute"
        " ON attrelid = indexrelid WHERE indrelid = 'odd.legs'::regclass ORDER BY attnum"
    )
    server, address = reached(running, monkeypatch)
    config = tmp_path / "config" / "tables.yaml"
    running.sql(ODD)
    try:
        before, key = running.sql(types), running.sql(keys)
        assert app.run(["init", str(tmp_path), "--from-db", address, "--schema", "odd"]) == 0
        told = capsys.readouterr().err
        running.sql("DROP SCHEMA odd CASCADE")
        assert app.run(["validate-config", str(config), "--format", "concise"]) == 0
        pipeline = load(config.read_text(encoding="utf-8"), str(config)).pipeline
        assert pipeline is not None
        with closing(server.connect()) as connection:
            statements = [(each.name, each.sql) for each in table_statements(pipeline)]
            columns = {f"odd.{t.name}": t.column_names for t in pipeline.streamed_tables}
            apply_statements(connection, statements, columns)
        after = running.sql(types)
        assert running.sql(keys) == key
    finally:
        running.sql("DROP SCHEMA IF EXISTS odd CASCADE")
    # A domain is nothing that the lake knows: its values are kept as text.
    assert set(before) - set(after) == {("select", "share", "numeric", "YES")}
    assert set(after) - set(before) == {("select", "share", "text", "YES")}
    assert "table Upper Case is left out" in told
    assert "table keyless is left out" in told


def test_the_source_of_a_local_stack_is_examined(
    running: RunningStack, capsys: pytest.CaptureFixture[str]
) -> None:
    app.run(["doctor", "--local", "--dir", str(running.stack.root), "-o", "json"])
    checks = json.loads(capsys.readouterr().out)["data"]["checks"]
    source = {each["name"]: each for each in checks if each["area"] == "source"}
    assert source["wal_level"]["verdict"] == "pass"
    assert source["notes: replica identity"]["cases"] == ["C7", "C22"]
    # Other tests of this stack may have left the table with something to note.
    assert [name for name in source if name == "table pairs" or name.startswith("pairs")]
    assert {each["verdict"] for each in source.values()} <= {"pass", "warn"}


def test_a_source_that_differs_is_named_by_its_address(
    running: RunningStack,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = tmp_path / "tables.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    held = PostgresServer(running.stack, int(running.report.postgres["port"])).parameters()
    monkeypatch.setenv("PGPASSWORD", held["password"])
    address = f"postgresql://{held['user']}@{held['host']}:{held['port']}/{held['dbname']}"
    try:
        set_up(running, CONFIG)
        running.sql(
            "ALTER TABLE lambda_made.cars DROP CONSTRAINT cars_pkey",
            "ALTER TABLE lambda_made.cars ALTER price TYPE numeric(12,4)",
            "ALTER TABLE lambda_made.cars REPLICA IDENTITY NOTHING",
        )
        words = ["doctor", "--from-db", address, "-c", str(config), "-o", "json"]
        assert app.run(words) == ExitCode.UNHEALTHY
        document = json.loads(capsys.readouterr().out)
    finally:
        running.sql("DROP SCHEMA lambda_made CASCADE")
    jsonschema.validate(document, schema_of("doctor/v1"))
    failed = [each for each in document["data"]["checks"] if each["verdict"] == "fail"]
    assert {each["name"]: each["cases"] for each in failed} == {
        "cars: primary key": ["C1", "C13"],
        "cars: replica identity": ["C20", "C21"],
        "cars.price": ["C28", "C30"],
    }
    assert "it is numeric(12,4), expected numeric(10,2)" in failed[-1]["seen"]
