"""The loader as a whole: the model it gives, what it never does, and how fast it is."""

import hashlib
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from glue_job.contract.loader import load, load_file, resolve
from glue_job.contract.model import (
    ALL_OPERATIONS,
    CircuitBreaker,
    Column,
    DeequCheck,
    DqRule,
    Kafka,
    Settings,
    SourceDatabase,
    Transform,
)
from glue_job.contract.types import DataType
from glue_job.contract.yaml_source import LINE_BREAK

CONFIG = Path(__file__).parents[3] / "config"

BLUEPRINT_ENTRY = textwrap.dedent("""\
    tables:
    - name: vehicle_telemetry
      topic: cdc-vehicle_telemetry
      delta_path: "s3://${STACK_NAME}-delta-${AWS_ACCOUNT_ID}/vehicle_telemetry/"
      primary_key: id
      schema:
        - {name: id, type: integer, nullable: false}
        - {name: speed_kmh, type: double}
        - {name: vehicle_id, type: integer}
        - {name: latitude, type: double}
      dq_rules:
        - {id: tel_003, type: range, column: speed_kmh, params: {min: 0, max: 350}, severity: error}
      deequ_checks:
        - {metric: completeness, column: vehicle_id, threshold: 0.95, severity: warning}
        - {metric: size, threshold: 1, severity: warning}
      transforms:
        - {id: tel_tx_001, type: round, column: latitude, params: {decimals: 5}, order: 1}
    """)


def test_a_table_entry_becomes_the_model() -> None:
    loaded = load(BLUEPRINT_ENTRY, "tables.yaml")
    assert loaded.findings == ()
    assert loaded.pipeline is not None
    (table,) = loaded.pipeline.tables
    assert table.name == "vehicle_telemetry"
    assert table.topic == "cdc-vehicle_telemetry"
    assert table.primary_key == ("id",)
    assert table.schema[:2] == (
        Column("id", DataType("integer"), nullable=False),
        Column("speed_kmh", DataType("double")),
    )
    assert table.dq_rules == (DqRule("tel_003", "range", "speed_kmh", {"min": 0, "max": 350}),)
    assert table.deequ_checks == (
        DeequCheck("completeness", "vehicle_id", 0.95, "warning"),
        DeequCheck("size", None, 1, "warning"),
    )
    assert table.transforms == (Transform("tel_tx_001", "round", "latitude", {"decimals": 5}, 1),)


def test_what_is_left_out_has_the_defaults_of_the_blueprint() -> None:
    text = "tables: [{name: trips, primary_key: id, schema: [{name: id, type: long}]}]"
    pipeline = load(text, "tables.yaml").pipeline
    assert pipeline is not None
    table = pipeline.table("trips")
    assert table.topic == "cdc-trips"
    assert table.delta_path == "s3://${STACK_NAME}-delta-${AWS_ACCOUNT_ID}/trips/"
    assert table.column("id").nullable is False
    assert pipeline.settings == Settings(
        quarantine_path="s3://${STACK_NAME}-quarantine-${AWS_ACCOUNT_ID}/",
        checkpoint_location="s3://${STACK_NAME}-assets-${AWS_ACCOUNT_ID}/checkpoints/",
        delta_bucket="${STACK_NAME}-delta-${AWS_ACCOUNT_ID}",
        trigger_interval_seconds=15.0,
    )
    assert pipeline.kafka == Kafka()
    assert pipeline.source_database == SourceDatabase()


def test_every_optional_key_reaches_the_model() -> None:
    shop = load_file(CONFIG / "shop.yaml").pipeline
    assert shop is not None
    assert shop.settings.trigger_interval_seconds == 60.0
    assert shop.settings.circuit_breaker == CircuitBreaker(0.2, 500)
    customers, lines = shop.tables
    assert customers.quarantine == "masked"
    assert customers.column("email").pii
    assert customers.column("country").source_type == "char(2)"
    assert customers.dq_rules[0].nulls == "fail"
    assert customers.dq_rules[0].operations == ALL_OPERATIONS
    assert customers.dq_rules[1].params == {"min": "1900-01-01"}
    assert customers.dq_rules[2].operations == {"insert", "update"}
    assert lines.primary_key == ("order_id", "line_number")
    assert lines.ignore_columns == {"updated_at"}
    assert (lines.deletion_vectors, customers.deletion_vectors) == ("never", "auto")
    assert (lines.max_offsets_per_trigger, lines.sla_seconds) == (50000, 120)
    assert lines.column("unit_price").type == DataType("decimal", 12, 2)
    assert lines.column("updated_at") == customers.column("updated_at")


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [("15 seconds", 15), ("1 minute", 60), ("500 milliseconds", 0.5), ("2 hours", 7200)],
)
def test_trigger_intervals(interval: str, seconds: float) -> None:
    text = f"settings: {{trigger_interval: {interval}}}\n{BLUEPRINT_ENTRY}"
    pipeline = load(text, "tables.yaml").pipeline
    assert pipeline is not None
    assert pipeline.settings.trigger_interval_seconds == seconds


@pytest.mark.parametrize("file", sorted(CONFIG.glob("*.yaml")), ids=lambda file: file.name)
def test_the_examples_have_no_finding(file: Path) -> None:
    assert load_file(file).findings == ()


def test_the_fleet_has_its_tables_and_columns() -> None:
    pipeline = load_file(CONFIG / "tables.yaml").pipeline
    assert pipeline is not None
    assert {table.name: len(table.schema) for table in pipeline.streamed_tables} == {
        "vehicles": 10,
        "drivers": 9,
        "vehicle_telemetry": 13,
        "deliveries": 14,
        "alerts": 11,
    }
    metrics = pipeline.table("dq_metrics")
    assert metrics.internal
    assert metrics.topic == ""
    rules = {rule.id: rule for table in pipeline.tables for rule in table.dq_rules}
    speed = rules["tel_003"]
    assert (speed.type, speed.column, speed.params) == (
        "range",
        "speed_kmh",
        {"min": 0, "max": 350},
    )


def test_placeholders_are_filled_after_parsing() -> None:
    pipeline = load_file(CONFIG / "tables.yaml").pipeline
    assert pipeline is not None
    hostile = 'x"}, evil: {"'
    filled = resolve(pipeline, {"STACK_NAME": hostile, "AWS_ACCOUNT_ID": "123456789012"})
    assert filled.settings.delta_bucket == f"{hostile}-delta-123456789012"
    assert filled.settings.quarantine_path == f"s3://{hostile}-quarantine-123456789012/"
    assert filled.settings.checkpoint_location == f"s3://{hostile}-assets-123456789012/checkpoints/"
    assert filled.table("alerts").delta_path == f"s3://{hostile}-delta-123456789012/alerts/"
    assert filled.table("alerts").schema == pipeline.table("alerts").schema
    with pytest.raises(KeyError, match="AWS_ACCOUNT_ID"):
        resolve(pipeline, {"STACK_NAME": "demo"})


def test_the_hash_is_that_of_the_file() -> None:
    data = (CONFIG / "shop.yaml").read_bytes()
    assert load_file(CONFIG / "shop.yaml").config_hash == hashlib.sha256(data).hexdigest()


def test_a_comment_cannot_silence_what_makes_the_file_unusable() -> None:
    text = BLUEPRINT_ENTRY.replace("type: double}", "type: dubble} # cdcctl: ignore CFG034", 1)
    loaded = load(text, "tables.yaml")
    assert [finding.code for finding in loaded.findings] == ["CFG034"]
    assert loaded.pipeline is None


def test_a_silenced_finding_leaves_a_pipeline() -> None:
    text = BLUEPRINT_ENTRY.replace(
        "topic: cdc-vehicle_telemetry", "topic: cdc-Telemetry # cdcctl: ignore CFG030, CFG031"
    )
    loaded = load(text, "tables.yaml")
    assert loaded.findings == ()
    assert loaded.pipeline is not None
    assert [f.code for f in load(text, "tables.yaml", heed_comments=False).findings] == ["CFG031"]


SHOP = (CONFIG / "shop.yaml").read_text(encoding="utf-8")
SNIPPETS = [
    *"{}[]:,-#&*!|>'\"%@`?\t\n \0\ud800é",
    ": ", "- ", "\n\n", "<<: *a", "&a ", "*a", "!!str ", "!x ", "---\n", "...\n", "~", "on", "010",
    "12:30", "1e999", ".nan", "${X}", "null", "true", "[]", "{}", "primary_key", "name", "params",
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """The shop's config with a few pieces cut out and snippets put in."""
    text = SHOP
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.sampled_from([0, 0, 1, 2, 5, 40]))
        text = text[:at] + draw(st.sampled_from(SNIPPETS)) + text[at + cut :]
    return text


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(damaged())
@example("")
@example("\ufeff")
@example("{")
@example("a: &a [*a]")
@example("<<: {<<: {tables: []}}")
@example("? &a [x]\n: *a\n")
@example("? *a\n")
@example("tables: {a: 1}")
@example("tables: [[[]]]")
@example("tables: [null, 1, {}]")
@example("tables: [{name: [], schema: {}, dq_rules: x, primary_key: [[1]], history: []}]")
@example("tables: [{schema: [{name: {}, type: []}, null], transforms: [{params: []}]}]")
def test_whatever_the_text_it_gives_findings_with_places_and_never_raises(text: str) -> None:
    loaded = load(text, "tables.yaml")
    lines = LINE_BREAK.split(text.removeprefix("\ufeff"))
    for finding in loaded.findings:
        assert finding.line is not None
        assert finding.column is not None
        assert 1 <= finding.line <= len(lines)
        assert 1 <= finding.column <= len(lines[finding.line - 1]) + 1
        assert finding.message
    assert (loaded.pipeline is None) == any(finding.is_error for finding in loaded.findings)


def thousand_tables(count: int) -> str:
    columns = "".join(f"      - {{name: column_{n}, type: string}}\n" for n in range(14))
    rules = "".join(
        f"      - {{id: r%d_{n}, type: length, column: column_{n}, params: {{max: {n + 1}}}}}\n"
        for n in range(8)
    )
    checks = "".join(
        f"      - {{metric: completeness, column: column_{n}, threshold: 0.9}}\n" for n in range(4)
    )
    steps = "".join(
        f"      - {{id: t%d_{n}, type: trim, column: column_{n}, order: {n}}}\n" for n in range(4)
    )
    return "tables:\n" + "".join(
        f"  - name: table_{n}\n    primary_key: id\n    schema:\n"
        f"      - {{name: id, type: integer, nullable: false}}\n{columns}"
        f"    dq_rules:\n{rules.replace('%d', str(n))}"
        f"    deequ_checks:\n{checks}    transforms:\n{steps.replace('%d', str(n))}"
        for n in range(count)
    )


def test_time_grows_with_size_only_and_a_thousand_tables_take_little() -> None:
    def seconds(count: int) -> float:
        text = thousand_tables(count)
        begin = time.process_time()
        assert load(text, "tables.yaml").findings == ()
        return time.process_time() - begin

    seconds(10)
    # A thousand take about 1 s; the bound leaves room for a busy machine.
    assert seconds(400) < 2.0


def test_the_contract_needs_neither_spark_nor_aws_nor_the_tool() -> None:
    code = textwrap.dedent(f"""\
        import sys
        from pathlib import Path
        from glue_job.contract.loader import load_file
        assert load_file(Path({str(CONFIG / "tables.yaml")!r})).pipeline is not None
        heavy = ("pyspark", "pydeequ", "boto3", "botocore", "cdcctl", "typer", "rich", "jsonschema")
        print([name for name in heavy if name in sys.modules])
        """)
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=CONFIG.parent,
    )
    assert run.stdout == "[]\n"
