"""What the job tells of a table: CloudWatch's format, lag, breaches, failures."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cdcctl.local.processes import last_lines
from cdcctl.operations.local_report import CaptureReport, StackReport
from cdcctl.ui import local_stack as view
from glue_job.alerts import Alerts
from glue_job.contract.loader import load
from glue_job.contract.telemetry import METRICS
from glue_job.errors import JobError
from glue_job.monitor import JobMonitor, Origin, TableMonitor
from glue_job.pipeline.report import Batch, BatchReport, Measured, Watermark
from glue_job.positions import Lag
from glue_job.state import StateFile
from glue_job.stopwatch import Stopwatch
from tests.unit import lake_builder
from tests.unit.documents import hold_to_schema

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EMF = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer"},
                "CloudWatchMetrics": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["Namespace", "Dimensions", "Metrics"],
                        "properties": {
                            "Namespace": {"type": "string", "minLength": 1, "maxLength": 255},
                            "Dimensions": {
                                "type": "array",
                                "items": {
                                    "type": "array",
                                    "items": {"type": "string"},
                                    "maxItems": 30,
                                },
                                "minItems": 1,
                            },
                            "Metrics": {
                                "type": "array",
                                "maxItems": 100,
                                "items": {
                                    "type": "object",
                                    "required": ["Name"],
                                    "properties": {
                                        "Name": {"type": "string"},
                                        "Unit": {"enum": ["Count", "Seconds"]},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        }
    },
}
"""From the schema in the CloudWatch User Guide, "Specification: Embedded metric format"."""


class Told:
    """A monitor of `vehicles` and all that it tells."""

    def __init__(self, folder: Path, sla: int | None = None, stack: str | None = "demo") -> None:
        limit = "name: vehicles" if sla is None else f"name: vehicles\n    sla_seconds: {sla}"
        text = lake_builder.CONFIG.replace("name: vehicles", limit)
        pipeline = load(text, "tables.yaml").pipeline
        assert pipeline is not None
        self.now = NOW
        self.lines: list[dict[str, Any]] = []
        self.sent: list[str] = []
        self.kept: str | None = None
        self.file = folder / "state.json"
        self.states = StateFile(self.file, ("vehicles",))
        self.monitor = TableMonitor(
            pipeline.table("vehicles"),
            Origin(stack, "9f31c2", "c0de"),
            Alerts("t", self, lambda subject, text: self.sent.append(text), self.clock),
            self.states,
            clock=self.clock,
            write=lambda line: self.lines.append(json.loads(line)),
        )

    def clock(self) -> datetime:
        return self.now

    def read(self) -> str | None:
        return self.kept

    def write(self, text: str) -> None:
        self.kept = text

    def stack(self) -> StackReport:
        """Give what `cdcctl local status` makes of the state file."""
        seen = CaptureReport("public.vehicles", "cdc-vehicles", True, 9, 1, 2, 3, self.state)
        return StackReport(Path("stack"), "ready", is_up=True, tables=(seen,))

    @property
    def state(self) -> dict[str, Any]:
        return dict(json.loads(self.file.read_text())["vehicles"])

    def counts(self, **outcomes: int) -> None:
        self.states.count("vehicles", 0, outcomes)

    def take(self, *measures: Measured, **fields: Any) -> dict[str, Any]:
        counted: dict[str, Any] = {
            "consumed": 10,
            "outcomes": {"applied": 8, "quarantined": 2},
            "offsets": {"t": {0: (5, 15)}},
        }
        batch = Batch("app", 7, NOW, "9f31c2", "kafka")
        report = BatchReport("vehicles", batch, measures=measures, **{**counted, **fields})
        self.monitor.batch_taken(report, Stopwatch(), (8, 3))
        return self.lines[-1]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


def completeness(value: float | None, *, passed: bool) -> Measured:
    return Measured("completeness", "owner", value, 0.9, passed, "error")


def test_a_batch_is_one_line_of_metrics(told: Told) -> None:
    told.monitor.lag_is(Lag(5, 1.5))
    line = told.take(
        earliest="2026-11-22T11:59:50.000000",
        watermark=Watermark(effective="2026-11-22T11:59:58.000000"),
        reasons={"veh_001": 2},
        late=1,
    )
    jsonschema.validate(line, EMF)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "cdcctl"
    assert directive["Dimensions"] == [["stack", "table"]]
    units = {each["Name"]: each["Unit"] for each in directive["Metrics"]}
    assert units == {name: unit for name, unit in METRICS.items() if name in line}
    values = {name: line[name] for name in units if name != "batch_seconds"}
    assert values == {
        "consumed": 10,
        "applied": 8,
        "quarantined": 2,
        "late": 1,
        "lateness_seconds": 0.0,
        "versions_opened": 8,
        "versions_closed": 3,
        "breached": 0,
        "source_to_lake_seconds": 10.0,
        "lag_messages": 5,
        "lag_seconds": 1.5,
        "problems": 0,
    }
    assert (line["stack"], line["table"]) == ("demo", "vehicles")
    assert (line["config_hash"], line["code_hash"]) == ("9f31c2", "c0de")
    assert (line["offsets"], line["reasons"]) == ({"t": {"0": [5, 15]}}, {"veh_001": 2})
    late = told.take(earliest="2026-11-22T11:59:55.000000")
    assert late["lateness_seconds"] == 3.0
    assert told.take(earliest="2026-11-22T12:00:00.000000")["lateness_seconds"] == 0.0


def test_no_lag_is_told_rather_than_an_old_one(told: Told) -> None:
    told.monitor.lag_is(Lag(3, 60.04))
    told.monitor.tell()
    assert (told.lines[-1]["lag_messages"], told.lines[-1]["lag_seconds"]) == (3, 60.04)
    assert (told.state["lag_messages"], told.state["lag_seconds"]) == (3, 60.04)
    told.monitor.lag_is_unknown()
    told.monitor.tell()
    assert (told.state["lag_messages"], "lag_messages" in told.lines[-1]) == (None, False)


def test_a_breach_is_told_with_its_command_and_its_end(told: Told) -> None:
    line = told.take(completeness(0.5, passed=False))
    assert (line["breached"], line["problems"]) == (1, 1)
    assert line["breaches"] == ["completeness of owner is 0.5, below 0.9, in batch 7"]
    assert told.sent == [
        "error: completeness of owner is 0.5, below 0.9, in batch 7\n"
        "  fix: cdcctl metrics show --table vehicles --failed --stack demo"
    ]
    assert told.state["problems"][0]["text"].startswith("completeness of owner is 0.5")
    told.take(completeness(None, passed=False))
    assert "not measurable" in told.state["problems"][0]["text"]
    assert told.take(completeness(1.0, passed=True))["problems"] == 0
    assert told.sent[1].startswith("recovered after")
    assert told.state["problems"] == []


def test_a_batch_without_rows_breaches_nothing(told: Told) -> None:
    empty = Measured("size", None, 0.0, 1.0, False, "warning")
    counts = {"applied": 0, "quarantined": 0, "control": 1}
    told.take(empty, consumed=1, outcomes=counts)
    assert (told.sent, told.lines[-1]["breached"]) == ([], 0)
    told.take(empty, outcomes={**counts, "quarantined": 1}, consumed=2)
    assert len(told.sent) == 1


def test_a_stream_that_fails_again_is_told_and_that_it_goes_on(told: Told) -> None:
    error = JobError("LAK050", "2 of 4 would be quarantined", "the breaker", "mend it")
    told.monitor.failed(error, 1)
    assert told.sent == []
    told.monitor.failed(error, 2)
    told.monitor.failed(error, 3)
    assert told.sent == [
        "error: does not go on: LAK050: 2 of 4 would be quarantined: the breaker\n  fix: mend it"
    ]
    assert [line["failures"] for line in told.lines] == [1, 1, 1]
    jsonschema.validate(told.lines[-1], EMF)
    told.monitor.lag_is(Lag(3, 1.0))
    assert len(told.sent) == 1
    told.take()
    assert told.sent[1].startswith("recovered after 0 s: does not go on")


def test_a_stream_with_nothing_left_to_read_has_recovered(told: Told) -> None:
    told.monitor.failed(ValueError("no\ndetails"), 2)
    assert "cdcctl logs glue --table vehicles --stack demo" in told.sent[0]
    told.monitor.lag_is(Lag(0, 0.0), is_well=False)
    assert len(told.sent) == 1
    told.monitor.lag_is(Lag(0, 0.0))
    assert told.sent[1].startswith("recovered")


def test_a_lag_over_the_tables_limit_is_told(tmp_path: Path) -> None:
    told = Told(tmp_path, sla=60, stack=None)
    told.monitor.lag_is(Lag(4, 60.0))
    assert told.sent == []
    told.monitor.lag_is(Lag(4, 61.0))
    assert "4 messages wait in `cdc-vehicles`, the oldest for 61 s (sla_seconds 60)" in told.sent[0]
    assert "cdcctl logs job --table vehicles --local" in told.sent[0]
    told.monitor.lag_is(Lag(0, 0.0))
    assert told.sent[1].startswith("recovered after 0 s: 4 messages wait")


def test_local_status_shows_lag_freshness_and_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = Told(tmp_path, stack=None)
    told.now = datetime.now(UTC)
    told.monitor.lag_is(Lag(5, 1.5))
    told.counts(applied=96, quarantined=4)
    told.take(completeness(1.0, passed=True))
    view.show_status(told.stack(), with_limits=False)
    screen = capsys.readouterr().out
    (row,) = [line.split() for line in screen.splitlines() if line.startswith("vehicles")]
    assert row[:6] == ["vehicles", "9", "1/2/3", "running", "0", "5"]
    assert row[7:] == ["s", "4"]
    assert "nothing is wrong" in screen

    told.counts(quarantined=2)
    told.take(completeness(0.5, passed=False))
    document = view.status_document(told.stack())
    hold_to_schema(document, "local-status/v1")
    data = document.data
    assert data["problems"] == [
        {
            "text": "vehicles: completeness of owner is 0.5, below 0.9, in batch 7",
            "fix": "cdcctl metrics show --table vehicles --failed --local",
        },
        {
            "text": "quarantine rate of vehicles is 5.9% (limit 5%)",
            "fix": "cdcctl quarantine stats vehicles --local",
        },
    ]
    view.show_status(told.stack(), with_limits=False)
    assert "2 problems" in capsys.readouterr().out


def test_the_job_tells_each_minute_that_it_runs(told: Told) -> None:
    job = JobMonitor(
        Origin("demo", "9f31c2"),
        clock=told.clock,
        write=lambda line: told.lines.append(json.loads(line)),
    )
    for second in range(121):
        told.now = NOW + timedelta(seconds=second)
        job.look(running=5)
    assert [line["running"] for line in told.lines] == [5, 5, 5]
    jsonschema.validate(told.lines[0], EMF)
    assert told.lines[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["stack"]]


def test_the_end_of_a_log_is_shown_without_its_metrics(told: Told, tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    told.take()
    log.write_text(f"it fails\n{json.dumps(told.lines[-1])}\n", encoding="utf-8")
    assert last_lines(log, 1) == ["it fails"]
