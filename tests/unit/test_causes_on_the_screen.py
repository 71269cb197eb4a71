"""Who reads the screens alone finds what is wrong, and a command that the tool knows."""

from __future__ import annotations

import fcntl
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cdcctl import app
from cdcctl.aws import session
from cdcctl.aws.errors import AwsError
from cdcctl.commands import status as commands
from cdcctl.errors import ExitCode
from cdcctl.lake.reader import Lake
from cdcctl.local.layout import StackDirectory
from cdcctl.operations.status import report
from glue_job.consent import way_on
from glue_job.contract.lake import LakePaths
from glue_job.contract.loader import hash_of
from glue_job.errors import JobError
from tests.unit import lake_builder as build
from tests.unit.answering_aws import AnsweringAws
from tests.unit.test_monitor import Told
from tests.unit.test_status import CONFIG, HEALTHY, RUN, TASK, metrics

NOW = datetime.now(UTC).isoformat()
GONE = JobError(
    "KFK007",
    "messages of `cdc-vehicles` are gone that `vehicles` has not read",
    "the topic's retention has passed over partition 0: 41 to 97",
    f"cdcctl reload vehicles, then {way_on('--accept-lost-offsets', 'vehicles')}",
)
Read = Callable[..., str]


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Read:
    """Give what a command prints at 80 columns, the folds of its lines undone."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("CDCCTL_STACK", "demo")

    def read(line: str) -> str:
        capsys.readouterr()
        app.run(line.split())
        printed = capsys.readouterr()
        if "status" in line and "-o" not in line.split():
            assert max(map(len, printed.out.splitlines())) <= 80
        return " ".join((printed.out + printed.err).split())

    return read


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Put a stack in order behind the command line, but for some answers of AWS."""

    def put(answers: Mapping[str, Any], folder: Path = tmp_path) -> None:
        aws = AnsweringAws(
            {**HEALTHY, "filter_log_events": [], "describe_log_groups": [], **answers}
        )
        lake = Lake(str(folder), LakePaths.below(str(folder)))
        monkeypatch.setattr(session, "Aws", lambda *_, **__: aws)
        monkeypatch.setattr(report, "lake_of_stack", lambda *_: lake)

    return put


def assert_its_commands_exist(read: Read, command: str) -> None:
    """Ask for the help of every command that helps: an unknown command or option fails."""
    data = json.loads(read(f"{command} -o json"))["data"]
    fixes = [problem["fix"] for problem in data["problems"]]
    assert fixes
    assert all(fixes)
    for fix in fixes:
        for line in re.findall(r"cdcctl (.+?)(?=,? {2,}|, |$)", fix):
            assert app.run([*line.split(), "--help"]) == ExitCode.DONE, line


def said_by(group: str, text: str) -> dict[str, Any]:
    """Give a log group in which a part has said something just now."""
    event = {"timestamp": datetime.now(UTC).timestamp() * 1000, "message": text}
    return {
        "filter_log_events": lambda asked: [event] if group in asked["logGroupName"] else [],
    }


@pytest.mark.parametrize(
    ("answers", "cause", "command", "logs"),
    [
        pytest.param(
            {
                "describe_cluster_v2": {
                    "ClusterInfo": {"State": "HEALING", "ClusterName": "demo", "Provisioned": {}}
                },
                **said_by("kafka", "Shutdown broker because all log dirs have failed"),
            },
            "the Kafka cluster is HEALING",
            "logs msk",
            "all log dirs have failed",
            id="a broker is down",
        ),
        pytest.param(
            {
                "describe_replication_tasks": [
                    {
                        **TASK,
                        "Status": "failed",
                        "LastFailureMessage": "Last Error no replication slot. Task error notice"
                        " received from subtask 0",
                    }
                ],
                **said_by("dms-tasks", "]E: replication slot does not exist [1022502]"),
            },
            "DMS is failed: Last Error no replication slot.",
            "start dms",
            "replication slot does not exist",
            id="DMS stopped with an error",
        ),
        pytest.param(
            {
                "get_job_runs": {
                    "JobRuns": [
                        {
                            **RUN,
                            "JobRunState": "FAILED",
                            "ErrorMessage": "JobError: LAK022: batch 7 was begun",
                        }
                    ]
                },
                "describe_log_groups": lambda asked: [
                    {"logGroupName": f"{asked['logGroupNamePrefix']}demo-GlueRole/error"}
                ],
                **said_by("-security", "ERROR glue_job batch 7 was begun and cannot be finished"),
            },
            "the job is FAILED: JobError: LAK022: batch 7 was begun",
            "start glue",
            "batch 7 was begun and cannot be finished",
            id="the job ended with an exception",
        ),
        pytest.param(
            {"get_metric_data": metrics(OldestReplicationSlotLag=9e9)},
            "the replication slot holds 8.4 GiB of WAL back: the source's disk fills",
            "start dms",
            "",
            id="the source's slot fills up",
        ),
        pytest.param(
            {"get_job": {"Job": {"DefaultArguments": {"--config": "s3://a/config/0ff1ce5/t"}}}},
            "is not what is deployed (0ff1ce)",
            "plan",
            "",
            id="the config here is not the deployed one",
        ),
    ],
)
def test_a_fault_of_a_stack(
    answers: dict[str, Any],
    cause: str,
    command: str,
    logs: str,
    account: Callable[..., None],
    screen: Read,
) -> None:
    account(HEALTHY)
    assert "nothing is wrong" in screen("status")
    account(answers)
    seen = screen("status")
    assert "1 problem " in seen
    assert cause in seen
    assert f"cdcctl {command} --stack demo" in seen
    assert_its_commands_exist(screen, "status")
    if logs:
        part = command.removeprefix("logs ").removeprefix("start ")
        assert logs in screen(f"logs {part}")


def test_offsets_that_are_gone(account: Callable[..., None], screen: Read, tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.monitor.failed(GONE, failures=2)

    def kept(asked: Mapping[str, str]) -> dict[str, Any]:
        assert asked["Bucket"] == "demo-assets-123456789012"
        known = asked["Key"] == "checkpoints/_alerts/vehicles.json"
        return {"Body": io.BytesIO(str(told.kept if known else "{}").encode())}

    account({"get_object": kept})
    seen = screen("status")
    assert "→ vehicles does not go on: KFK007: messages of `cdc-vehicles` are gone" in seen
    assert "retention has passed over partition 0: 41 to 97" in seen
    assert "cdcctl start glue --accept-lost-offsets vehicles" in seen
    assert_its_commands_exist(screen, "status")
    told.take()
    assert "nothing is wrong" in screen("status")


def test_many_rows_are_refused(account: Callable[..., None], screen: Read, tmp_path: Path) -> None:
    too_old = build.failure("veh_003", "range", "year", {"min": 1980, "max": 2035}, "1899")
    build.write_quarantine(tmp_path, [build.refused(n, NOW, [too_old], None) for n in range(8)])
    counts = {"consumed": 100, "applied": 92, "quarantined": 8}
    build.write_batches(tmp_path, [build.batch("vehicles", 1, processed_at=NOW, **counts)])
    account({}, tmp_path)
    seen = screen("status")
    assert "8/8 veh_003" in seen
    assert "→ quarantine rate of vehicles is 8.0% (limit 5%)" in seen
    assert "cdcctl quarantine stats vehicles --stack demo" in seen
    assert_its_commands_exist(screen, "status")
    assert "vehicles veh_003 8" in screen(f"quarantine stats vehicles --lake {tmp_path}")


def test_who_watches_is_told_of_a_failure_that_passes(
    account: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers = iter((busy := AwsError("AWS006", "AWS is busy", is_transient=True), None, busy))

    def stacks(_: object) -> Any:
        failure = next(answers, KeyboardInterrupt())
        if failure is not None:
            raise failure
        return HEALTHY["describe_stacks"]

    account({"describe_stacks": stacks})
    monkeypatch.setattr(commands, "time", SimpleNamespace(sleep=lambda _: None))
    code = app.run(["status", "--stack", "demo", "--watch"])
    printed = capsys.readouterr()
    assert code == ExitCode.INTERRUPTED
    assert printed.out.count("nothing is wrong") == 1
    assert printed.err.count("AWS is busy; looked at again in 10 s") == 2


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[StackDirectory]:
    """Give a local stack that is up, as far as its files tell."""
    made = StackDirectory(tmp_path / "stack")
    made.create()
    config = tmp_path / "tables.yaml"
    config.write_text(CONFIG.read_text(encoding="utf-8"), encoding="utf-8")
    with made.lock.open("w") as lock:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        tell(made, config)
        yield made


def tell(made: StackDirectory, config: Path, **problems: Mapping[str, Any]) -> None:
    """Write what the supervisor of a stack writes."""
    children = {
        name: {
            "state": "restarting" if name in problems else "ready",
            "pid": 1,
            "restarts": 0,
            "log": str(made.logs / f"{name}.log"),
            "problem": problems.get(name),
        }
        for name in ("postgres", "broker", "capture", "job")
    }
    document = {
        "phase": "ready",
        "children": children,
        "config": str(config),
        "config_hash": hash_of(config.read_text(encoding="utf-8")),
        "tables": {"public.vehicles": "cdc-vehicles"},
    }
    made.state.write_text(json.dumps(document), encoding="utf-8")


def test_faults_of_the_local_stack(stack: StackDirectory, screen: Read, tmp_path: Path) -> None:
    status, config = f"local status --dir {stack.root}", tmp_path / "tables.yaml"
    assert "nothing is wrong" in screen(status)
    assert app.run([*status.split(), "--exit-status"]) == ExitCode.DONE

    ended = {"what": "broker ended", "why": "ended by SIGKILL", "fix": "", "lines": ["last words"]}
    tell(stack, config, broker={**ended, "log": ""})
    seen = screen(status)
    assert "broker said last last words" in seen
    assert "1 problem → broker ended: ended by SIGKILL cdcctl logs broker --local" in seen
    assert_its_commands_exist(screen, status)
    assert app.run([*status.split(), "--exit-status"]) == ExitCode.UNHEALTHY

    tell(stack, config)
    config.write_text(config.read_text(encoding="utf-8") + "\n# another\n", encoding="utf-8")
    seen = screen(status)
    assert "1 problem → tables.yaml has changed since the stack was started" in seen
    assert "cdcctl local down, then cdcctl local up" in seen
    assert_its_commands_exist(screen, status)

    config.unlink()
    # The folder's path, which comes first, is folded anywhere.
    assert "tables.yamlcannotbereadanymore" in screen(status).replace(" ", "")
    config.write_text(CONFIG.read_text(encoding="utf-8"), encoding="utf-8")

    told = Told(tmp_path, stack=None)
    told.monitor.failed(GONE, failures=2)
    told.file.rename(stack.job_state)
    seen = screen(status)
    assert "→ vehicles: does not go on: KFK007: messages of `cdc-vehicles` are gone" in seen
    assert "cdcctl start glue --accept-lost-offsets vehicles" in seen
