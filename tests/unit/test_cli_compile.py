"""What tables.yaml compiles to, and `cdcctl compile`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import sqlglot
from sqlglot import exp

from cdcctl import app
from cdcctl.compile.catalog import catalog_entries
from cdcctl.compile.ddl import column_source_type, ddl_script, table_statements
from cdcctl.compile.dms import table_mappings, target_settings, task_settings
from cdcctl.compile.topics import topics
from cdcctl.errors import ExitCode
from cdcctl.ui.output import schema_of
from glue_job.contract.lake import BATCH_COLUMNS, HISTORY_COLUMNS, METRIC_COLUMNS
from glue_job.contract.loader import load
from glue_job.contract.model import Column, Kafka, Pipeline, SourceDatabase
from glue_job.contract.types import DataType
from tests.unit.lake_builder import CONFIG

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "compiled"


@pytest.fixture(scope="module")
def fleet() -> Pipeline:
    file = ROOT / "config" / "tables.yaml"
    loaded = load(file.read_text(encoding="utf-8"), str(file))
    assert loaded.pipeline is not None
    return loaded.pipeline


@pytest.fixture(scope="module")
def small() -> Pipeline:
    loaded = load(CONFIG, "tables.yaml")
    assert loaded.pipeline is not None
    return loaded.pipeline


def test_the_ddl_is_postgresql_with_keys_and_required_columns(fleet: Pipeline) -> None:
    parsed = sqlglot.parse(ddl_script(fleet), dialect="postgres")
    created = [each for each in parsed if isinstance(each, exp.Create)]
    assert [each.find(exp.Table).name for each in created] == [
        table.name for table in fleet.streamed_tables
    ]
    for table, statement in zip(fleet.streamed_tables, created, strict=True):
        columns = list(statement.find_all(exp.ColumnDef))
        assert [column.name for column in columns] == list(table.column_names)
        required = {c.name for c in columns if c.find(exp.NotNullColumnConstraint)}
        assert required == {
            c.name for c in table.schema if not c.nullable or c.name in table.primary_key
        }
        key = statement.find(exp.PrimaryKey)
        assert [part.name for part in key.expressions] == list(table.primary_key)


def test_a_composite_key_and_a_schema_of_its_own(small: Pipeline) -> None:
    moved = replace(small, source_database=SourceDatabase(schema_name='odd"one'))
    schema, vehicles, legs = table_statements(moved)
    assert schema.sql == 'CREATE SCHEMA IF NOT EXISTS "odd""one"'
    assert vehicles.name == "create table vehicles"
    assert vehicles.sql.startswith('CREATE TABLE IF NOT EXISTS "odd""one"."vehicles" (\n')
    assert legs.sql.endswith('    PRIMARY KEY ("trip", "leg")\n)')


@pytest.mark.parametrize(
    ("lake_type", "source_type", "spelled"),
    [
        ("integer", None, "integer"),
        ("long", None, "bigint"),
        ("double", None, "double precision"),
        ("string", None, "varchar(255)"),
        ("boolean", None, "boolean"),
        ("timestamp", None, "timestamp with time zone"),
        ("date", None, "date"),
        ("decimal(10,2)", None, "numeric(10,2)"),
        ("string", "TIMESTAMPTZ", "timestamptz"),
        ("string", "character  varying(30)", "character varying(30)"),
        ("integer", "serial", "serial"),
    ],
)
def test_a_columns_postgresql_type(lake_type: str, source_type: str | None, spelled: str) -> None:
    column = Column("c", DataType.parse(lake_type), source_type=source_type)
    assert column_source_type(column) == spelled
    sqlglot.parse_one(f"CREATE TABLE t (c {spelled})", dialect="postgres")


def test_a_source_type_cannot_carry_sql() -> None:
    column = Column("c", DataType("string"), source_type="text); DROP TABLE x; --")
    with pytest.raises(ValueError, match="is not a PostgreSQL type"):
        column_source_type(column)


def test_large_columns_are_noted_with_the_statement_that_helps(fleet: Pipeline) -> None:
    script = ddl_script(fleet)
    assert (
        "-- Unchanged large values of notes may be missing from an update.\n"
        '-- To have them always: ALTER TABLE "public"."deliveries" REPLICA IDENTITY FULL;\n'
        'CREATE TABLE IF NOT EXISTS "public"."deliveries"'
    ) in script


def test_every_table_is_selected_and_mapped_to_its_topic(fleet: Pipeline) -> None:
    rules = table_mappings(fleet)["rules"]
    assert len({rule["rule-id"] for rule in rules}) == len(rules)
    mapped = [rule for rule in rules if rule["rule-type"] == "object-mapping"]
    assert [(m["object-locator"]["table-name"], m["kafka-target-topic"]) for m in mapped] == [
        (table.name, table.topic) for table in fleet.streamed_tables
    ]
    assert all(rule["disable-kafka-topic-normalization"] is True for rule in mapped)
    assert all(
        rule["mapping-parameters"] == {"partition-key-type": "schema-table"} for rule in mapped
    )
    # A Kafka target takes no transformation rule beside object mapping.
    assert {rule["rule-type"] for rule in rules} == {"selection", "object-mapping"}


def test_dms_settings_keep_what_the_job_needs() -> None:
    task = task_settings()
    assert task["BeforeImageSettings"] == {
        "EnableBeforeImage": True,
        "FieldName": "before-image",
        "ColumnFilter": "pk-only",
    }
    assert task["TargetMetadata"]["BatchApplyEnabled"] is False
    assert task["TargetMetadata"]["FullLobMode"] is False
    assert task["ErrorBehavior"]["FailOnNoTablesCaptured"] is True
    assert task["Logging"]["EnableLogging"] is True
    target = target_settings(Kafka())
    for setting in (
        "IncludeTransactionDetails",
        "IncludeNullAndEmpty",
        "IncludePartitionValue",
        "UseLargeIntegerValue",
    ):
        assert target[setting] is True
    assert (target["SecurityProtocol"], target["SaslMechanism"]) == ("sasl-ssl", "scram-sha-512")
    assert target["MessageMaxBytes"] < int(topics_limit())


def topics_limit() -> str:
    loaded = load(CONFIG, "tables.yaml")
    assert loaded.pipeline is not None
    return topics(loaded.pipeline)[0].configs["max.message.bytes"]


def test_topics_survive_a_broker_and_a_week(small: Pipeline) -> None:
    vehicles, legs = topics(small)
    assert (vehicles.name, legs.name) == ("cdc-vehicles", "cdc-legs")
    assert vehicles.replication_factor == 3
    assert vehicles.configs["min.insync.replicas"] == "2"
    assert vehicles.configs["retention.ms"] == str(7 * 24 * 60 * 60 * 1000)
    (alone, _) = topics(small, brokers=1)
    assert (alone.replication_factor, alone.configs["min.insync.replicas"]) == (1, "1")


def test_the_catalog_has_every_lake_table_as_a_native_delta_table(small: Pipeline) -> None:
    entries = {entry["Name"]: entry for entry in catalog_entries(small)}
    assert list(entries) == [
        "vehicles",
        "vehicles_quarantine",
        "legs",
        "legs_quarantine",
        "dq_metrics",
        "batches",
    ]
    columns = {
        name: [column["Name"] for column in entry["StorageDescriptor"]["Columns"]]
        for name, entry in entries.items()
    }
    assert columns["legs"] == ["trip", "leg", "status", *HISTORY_COLUMNS]
    assert columns["dq_metrics"] == list(METRIC_COLUMNS)
    assert columns["batches"] == list(BATCH_COLUMNS)
    for entry in entries.values():
        assert entry["TableType"] == "EXTERNAL_TABLE"
        assert entry["Parameters"]["spark.sql.sources.provider"] == "delta"
    location = entries["vehicles_quarantine"]["StorageDescriptor"]["Location"]
    assert location == "s3://${STACK_NAME}-quarantine-${AWS_ACCOUNT_ID}/vehicles/"


def test_catalog_names_that_collide_are_refused(small: Pipeline) -> None:
    vehicles, legs = small.tables
    twice = replace(small, tables=(vehicles, replace(legs, name="vehicles_quarantine")))
    with pytest.raises(ValueError, match="would be both refused rows of vehicles and history of"):
        catalog_entries(twice)


def findings_of(
    file: Path, capsys: pytest.CaptureFixture[str], *options: str
) -> list[dict[str, object]]:
    app.run(["validate-config", str(file), "--format", "json", *options])
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)["findings"]
    return found


def test_what_cannot_be_compiled_is_found_by_validate_config(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not findings_of(config, capsys)
    monkeypatch.setattr("cdcctl.compile.dms.MAX_MAPPING_BYTES", 500)
    (found,) = findings_of(config, capsys)
    assert (found["code"], found["severity"]) == ("CFG050", "error")
    assert "DMS takes 500: split the tables over two stacks" in str(found["message"])
    monkeypatch.undo()
    config.write_text(CONFIG.replace("name: legs", "name: vehicles_quarantine"))
    (found,) = findings_of(config, capsys)
    assert "would be both refused rows of vehicles and history of" in str(found["message"])


def test_a_strict_check_reads_the_sql_as_postgresql_does(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not [each for each in findings_of(config, capsys, "--strict") if "SQL" in str(each)]
    monkeypatch.setattr(
        "cdcctl.operations.compile_config.ddl_script", lambda _: 'CREATE TABLE "a" ("id" bigint,,'
    )
    assert not findings_of(config, capsys)
    assert "is not SQL that PostgreSQL reads" in str(findings_of(config, capsys, "--strict"))


def test_the_checked_in_files_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    config = str(ROOT / "config" / "tables.yaml")
    assert app.run(["compile", "-c", config, "--out", str(GOLDEN), "--check"]) == 0
    states = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert states == {"current"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "tables.yaml"
    file.write_text(CONFIG)
    return file


def test_compile_prints_one_format_as_the_file_itself(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["compile", "-c", str(config), "--format", "topics"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [topic["name"] for topic in printed["topics"]] == ["cdc-vehicles", "cdc-legs"]


def test_compile_writes_what_changed_and_check_fails_when_stale(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build = tmp_path / "build"
    call = ["compile", "-c", str(config), "--out", str(build), "-f", "ddl"]
    assert app.run([*call, "--check"]) == ExitCode.FAILED
    captured = capsys.readouterr()
    assert captured.out == f"stale    {build / 'ddl.sql'}\n"
    assert captured.err == (
        f"error[USE007]: ddl.sql in {build} is not what {config} compiles to\n"
        f"  fix:  cdcctl compile -c {config} --out {build}\n"
    )
    assert not build.exists()
    assert app.run(call) == 0
    assert capsys.readouterr().out == f"written  {build / 'ddl.sql'}\n"
    assert app.run([*call, "--check"]) == 0
    assert capsys.readouterr().out == f"current  {build / 'ddl.sql'}\n"


def test_compile_for_machines(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["compile", "-c", str(config), "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, schema_of("compile/v1"))
    assert [artefact["name"] for artefact in document["data"]["artefacts"]] == [
        "ddl.sql",
        "dms-table-mappings.json",
        "dms-task-settings.json",
        "dms-endpoint-settings.json",
        "topics.json",
        "catalog.json",
        "bootstrap.template.json",
        "pipeline.template.json",
    ]


def test_compile_errors(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["compile", "-c", str(tmp_path / "none.yaml")]) == ExitCode.CONFIG
    assert capsys.readouterr().err == (
        f"error[CFG000]: the config {tmp_path / 'none.yaml'} cannot be read\n"
        "  why:  No such file or directory\n"
        "  fix:  name a tables.yaml with --config\n"
    )
    assert app.run(["compile", "-c", str(config), "--check"]) == ExitCode.USAGE
    assert "name the folder to compare with: --out DIR" in capsys.readouterr().err
    assert app.run(["compile", "-c", str(config), "--out", str(config)]) == ExitCode.FAILED
    assert capsys.readouterr().err == (
        f"error[USE006]: {config / 'ddl.sql'} cannot be used as output\n"
        "  why:  Not a directory\n"
        "  fix:  name another folder with --out\n"
    )
    clash = CONFIG.replace("- name: legs", "- name: vehicles_quarantine")
    config.write_text(clash)
    assert app.run(["compile", "-c", str(config)]) == ExitCode.CONFIG
    assert "vehicles_quarantine" in capsys.readouterr().err
