"""status: what is wrong is named, each with its command; a source that is silent stays alone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cdcctl.aws.errors import AwsError
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.lake.reader import Lake
from cdcctl.operations.status import parts, report
from cdcctl.operations.status.lake import read_lake
from cdcctl.operations.target import Target
from cdcctl.ui import status as view
from glue_job.contract.lake import LakePaths
from glue_job.contract.loader import load
from tests.unit import lake_builder as build
from tests.unit.answering_aws import AnsweringAws
from tests.unit.documents import hold_to_schema

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
CONFIG = Path("config/tables.yaml")
OUTPUTS = {
    "DbInstanceIdentifier": "demo-db",
    "ClusterArn": "arn:cluster",
    "ReplicationTaskArn": "arn:aws:dms:x:1:task:ABC",
    "GlueJobName": "demo-cdc",
}


def metrics(**values: float) -> Any:
    def answer(asked: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {
                "Id": each["Id"],
                "Values": [values[name]]
                if (name := each["MetricStat"]["Metric"]["MetricName"]) in values
                else [],
            }
            for each in asked["MetricDataQueries"]
        ]

    return answer


TASK = {
    "Status": "running",
    "ReplicationInstanceArn": "arn:aws:dms:x:1:rep:DEF",
    "ReplicationTaskStartDate": datetime(2026, 11, 20, tzinfo=UTC),
}
RUN = {
    "Id": "jr_8a1",
    "JobRunState": "RUNNING",
    "StartedOn": datetime(2026, 11, 22, 12, tzinfo=UTC),
    "NumberOfWorkers": 2,
    "WorkerType": "G.1X",
}
DEPLOYED = f"s3://demo-assets-1/config/{parts.hash_of_file(CONFIG)}/tables.yaml"
HEALTHY: dict[str, Any] = {
    "describe_stacks": {
        "Stacks": [
            {
                "StackId": "arn:demo",
                "StackStatus": "UPDATE_COMPLETE",
                "CreationTime": datetime(2026, 11, 20, tzinfo=UTC),
                "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in OUTPUTS.items()],
            }
        ]
    },
    "describe_db_instances": {
        "DBInstances": [{"DBInstanceStatus": "available", "EngineVersion": "17.11"}]
    },
    "describe_cluster_v2": {
        "ClusterInfo": {
            "State": "ACTIVE",
            "ClusterName": "demo",
            "Provisioned": {
                "NumberOfBrokerNodes": 2,
                "CurrentBrokerSoftwareInfo": {"KafkaVersion": "3.8.x"},
            },
        }
    },
    "describe_replication_tasks": [TASK],
    "describe_table_statistics": [
        {"TableName": "vehicles", "TableState": "Table completed", "FullLoadRows": 15}
    ],
    "get_job_runs": {"JobRuns": [RUN]},
    "get_job": {"Job": {"DefaultArguments": {"--config": DEPLOYED}}},
    "get_template": {"TemplateBody": {"Resources": {"Key": {"Type": "AWS::KMS::Key"}}}},
    "get_metric_data": metrics(CPUUtilization=12.0, CDCLatencySource=1.8),
    "get_object": AwsError("AWS008", "there is no such object", aws_code="NoSuchKey"),
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("made") / "lake"
    build.write_batches(
        folder,
        [
            build.batch("vehicles", 1, consumed=100, applied=92, quarantined=8),
            build.batch("drivers", 1, consumed=10, applied=10),
        ],
    )
    build.write_history(
        folder, "vehicles", build.VEHICLES, [build.version("2026-11-22T10:00:00Z", None, id=1)]
    )
    build.write_metrics(
        folder,
        [build.measurement(1, "completeness", 0.5, threshold=0.9, passed=False, severity="error")],
    )
    return Lake(folder, LakePaths.below(str(folder)))


def asked(lake: Lake | None = None, config: Path = CONFIG, **answers: Any) -> report.StatusReport:
    target = Target("demo", AnsweringAws({**HEALTHY, **answers}))  # type: ignore[arg-type]  # from a table
    pipeline = load(config.read_text(encoding="utf-8"), str(config)).pipeline
    assert pipeline is not None
    where = report.Examined(target, lake or Lake("nowhere", LakePaths.below("nowhere")), pipeline)
    return report.examine(where, config, NOW)


def said(found: report.StatusReport) -> str:
    return "\n".join(f"{each.text} | {each.fix}" for each in found.problems)


def test_a_healthy_pipeline_has_no_problem(capsys: pytest.CaptureFixture[str]) -> None:
    found = asked()
    assert said(found) == ""
    view.show_status(found)
    screen = capsys.readouterr().out
    assert "UPDATE_COMPLETE" in screen
    assert "cpu 12 %" in screen
    assert "src 1.8 s" in screen
    assert "= local ✔" in screen
    assert "~$ 0.03/day" in screen
    assert "nothing is wrong" in screen
    assert max(map(len, screen.splitlines())) <= 80


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        (
            {
                "describe_stacks": {
                    "Stacks": [
                        {
                            **HEALTHY["describe_stacks"]["Stacks"][0],
                            "StackStatus": "UPDATE_ROLLBACK_FAILED",
                        }
                    ]
                }
            },
            "the stack is UPDATE_ROLLBACK_FAILED | cdcctl deploy",
        ),
        ({"get_job": {"Job": {"DefaultArguments": {"--config": "s3://a/config/0f/t"}}}}, "0f"),
        (
            {"describe_db_instances": {"DBInstances": [{"DBInstanceStatus": "storage-full"}]}},
            "the database is storage-full",
        ),
        ({"get_metric_data": metrics(OldestReplicationSlotLag=9e9)}, "8.4 GiB of WAL"),
        ({"get_metric_data": metrics(KafkaDataLogsDiskUsed=91.0)}, "91 % full"),
        ({"get_metric_data": metrics(CDCLatencyTarget=900.0)}, "DMS is 900 s behind"),
        (
            {
                "describe_replication_tasks": [
                    {**TASK, "Status": "failed", "LastFailureMessage": "SASL failed"}
                ]
            },
            "DMS is failed: SASL failed | cdcctl start dms",
        ),
        (
            {"describe_table_statistics": [{"TableName": "vehicles", "TableState": "Table error"}]},
            "cdcctl reload vehicles",
        ),
        (
            {"get_metric_data": metrics(lag_messages=37, lag_seconds=301.0)},
            "drivers: 37 messages wait in Kafka, the oldest for 301 s (limit 300 s)"
            " | cdcctl logs glue --table drivers",
        ),
        ({"get_job_runs": {"JobRuns": []}}, "the job has never run | cdcctl start glue"),
        (
            {
                "get_job_runs": {
                    "JobRuns": [{**RUN, "JobRunState": "FAILED", "ErrorMessage": "no memory"}]
                }
            },
            "the job is FAILED: no memory",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_command(answers: dict[str, Any], text: str) -> None:
    assert text in said(asked(**answers))


def test_a_run_that_glue_ended_for_maintenance_is_followed() -> None:
    runs = [
        {**RUN, "Id": "jr_8a1", "JobRunState": "EXPIRED"},
        {**RUN, "Id": "jr_8a1_restart_1", "JobRunState": "RUNNING"},
    ]
    found = asked(get_job_runs={"JobRuns": runs})
    assert found.job.seen is not None
    assert found.job.seen.run_id == "jr_8a1_restart_1"
    assert said(found) == ""


def test_a_missing_permission_stands_in_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    denied = AwsError(
        "AWS004", "permission dms:DescribeReplicationTasks is missing", aws_code="AccessDenied"
    )
    found = asked(describe_replication_tasks=denied, get_template=denied)
    view.show_status(found)
    screen = " ".join(capsys.readouterr().out.split())
    assert screen.count("n/a (permission dms:DescribeReplicationTasks is missing)") == 2
    assert "? nothing is wrong in what could be looked at" in screen
    assert found.job.seen is not None
    assert (found.problems, found.is_healthy) == ((), False)
    hold_to_schema(view.status_document(found), "status/v1")
    view.show_status(asked(get_metric_data=denied))
    assert "lag: n/a (permission dms:" in capsys.readouterr().out


def test_a_stack_that_is_not_there_is_not_found() -> None:
    gone = AwsError(
        "AWS008", "no", why="Stack with id demo does not exist", aws_code="ValidationError"
    )
    with pytest.raises(CdcctlError) as caught:
        asked(describe_stacks=gone)
    assert caught.value.exit_code == ExitCode.NOT_FOUND


def test_the_lake_tells_of_each_table(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    told = read_lake(lake, ("vehicles", "drivers", "alerts"), NOW)
    assert (told["vehicles"].consumed_hour, told["vehicles"].quarantined_hour) == (100, 8)
    assert told["vehicles"].rows == 1
    assert told["alerts"].newest_batch_at is None
    found = asked(lake)
    assert "quarantine rate of vehicles is 8.0% (limit 5%)" in said(found)
    assert "vehicles: completeness is 0.5 (threshold 0.9)" in said(found)
    view.show_status(found)
    assert "8/8" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("width", "row"),
    [
        (80, "✔ 91.0k 421.0k/12/3 37 30 min – 8/8 veh_001 ✖ 1"),
        (120, "✔ 91.0k 421.0k/12/3 37 30 min – 8/8 veh_001 ▁▁▁▁█ ✖ completeness 0.5 < 0.9"),
    ],
)
def test_a_table_is_one_line(
    width: int,
    row: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    name, at = "vehicle_telemetry", "2026-11-22T12:00:00Z"
    counts = {"consumed": 100, "applied": 92, "quarantined": 8}
    build.write_batches(tmp_path, [build.batch(name, 1, processed_at=at, **counts)])
    breach = {"threshold": 0.9, "passed": False, "severity": "error", "table_name": name}
    build.write_metrics(tmp_path, [build.measurement(1, "completeness", 0.5, **breach)])
    wrong = build.failure("veh_001", "range", "id", {"min": 0}, "-1")
    refused = [build.refused(number, at, [wrong], None) for number in range(8)]
    build.write_quarantine(tmp_path, refused, name, build.VEHICLES)
    sent = {"FullLoadRows": 91_000, "Inserts": 421_000, "Updates": 12, "Deletes": 3}
    (stack,) = HEALTHY["describe_stacks"]["Stacks"]
    found = asked(
        Lake(tmp_path, LakePaths.below(str(tmp_path))),
        describe_stacks={
            "Stacks": [{**stack, "DriftInformation": {"StackDriftStatus": "DRIFTED"}}]
        },
        describe_replication_tasks=[{**TASK, "ReplicationTaskStats": {"TablesErrored": 1}}],
        describe_table_statistics=[
            {"TableName": name, "TableState": "Table completed", **sent},
            {"TableName": "drivers", "TableState": "Table error", "FullLoadRows": 3},
        ],
        get_metric_data=metrics(lag_messages=37, lag_seconds=2.0, batch_seconds=6.1),
    )
    view.show_status(found)
    screen = capsys.readouterr().out
    lines = {line.split()[0]: line.split()[1:] for line in screen.splitlines() if line.split()}
    assert " ".join(lines[name]) == row
    assert lines["drivers"][:2] == ["✖", "3"]
    assert lines["dms"][-2:] == ["errors", "1"]
    assert lines["glue"][-4:] == ["batch", "p95", "6.1", "s"]
    assert "drift found" in screen
    assert "it has drifted | aws cloudformation describe-stack-resource-drifts" in said(found)


@pytest.mark.parametrize("width", [80, 120])
def test_the_screen_fits_and_names_each_problem_with_its_command(
    width: int, lake: Lake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    stopped = {**TASK, "Status": "failed", "LastFailureMessage": "the slot is gone " * 9}
    found = asked(lake, describe_replication_tasks=[stopped])
    view.show_status(found)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= width
    screen = " ".join(lines)
    assert len(found.problems) == 3
    for problem in found.problems:
        assert " ".join(f"{problem.text}   {problem.fix}".split()) in " ".join(screen.split())
    (row,) = [line for line in lines if line.startswith("alerts")]
    assert row.endswith("–")


def test_an_idle_table_is_not_late(lake: Lake, tmp_path: Path) -> None:
    """Its newest batch is old; only where no lag is known does that count."""
    config = tmp_path / "tables.yaml"
    text = CONFIG.read_text(encoding="utf-8")
    config.write_text(text.replace("- name: drivers", "- name: drivers\n    sla_seconds: 60", 1))
    assert "drivers: the newest batch is 1800 s old (limit 60 s)" in said(asked(lake, config))
    for seconds, is_late in ((0.0, False), (60.0, False), (61.0, True)):
        told = metrics(lag_messages=3, lag_seconds=seconds)
        found = said(asked(lake, config, get_metric_data=told))
        assert ("drivers: 3 messages wait" in found) is is_late
        assert "newest batch" not in found


def test_the_lag_stands_beside_each_table(capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(get_metric_data=metrics(lag_messages=37, lag_seconds=2.0))
    drivers = report.as_data(found)["tables"]["drivers"]
    assert (drivers["lag_messages"], drivers["lag_seconds"]) == (37, 2.0)
    view.show_status(found)
    lines = capsys.readouterr().out.splitlines()
    (heading,) = [line for line in lines if line.startswith("TABLE")]
    (row,) = [line for line in lines if line.startswith("drivers")]
    assert row[: heading.index("LAG") + len("LAG")].endswith(" 37")


def test_machines_get_the_same(lake: Lake) -> None:
    hold_to_schema(view.status_document(asked(lake)), "status/v1")
