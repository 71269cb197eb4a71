"""The canary of a deploy: written, timed to the lake, and deleted again whatever happens."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cdcctl import app
from cdcctl.aws.errors import AwsError
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.lake.reader import Lake
from cdcctl.operations.canary import fly_canary
from cdcctl.operations.target import Target
from cdcctl.operations.waiting import Waiting
from cdcctl.ui.progress import SilentProgress
from glue_job.contract.lake import LakePaths
from glue_job.contract.loader import load_file
from tests.unit import lake_builder as build
from tests.unit.answering_aws import AnsweringAws

CONFIG = Path("config/tables.yaml")
REFUSAL = {"statusCode": 409, "error": "others have written since the rows were made"}


class Source:
    """A source behind sql-runner, with rows by key; what is `refused` is turned away so often."""

    def __init__(self, lake: Path, *, brings: bool = True, refused: int = 0) -> None:
        """Take where an inserted row comes to, when it does."""
        self.rows: dict[int, dict[str, Any]] = {7: {}}
        self.taken: list[str] = []
        self._lake, self._brings, self._refused = lake, brings, refused
        self._artefact: dict[str, Any] = {}

    def keep(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Take an artefact."""
        self._artefact = json.loads(asked["Body"])
        return {}

    def answer(self, _: dict[str, Any]) -> dict[str, Any]:
        """Write the artefact's rows as sql-runner does."""
        assert self._artefact["tables"] == ["vehicles"]
        changes = [each for part in self._artefact["transactions"] for each in part]
        if changes and self._refused:
            self._refused -= 1
            return {"Payload": io.BytesIO(json.dumps(REFUSAL).encode())}
        for change in changes:
            assert self._artefact["last"] == {"vehicles": max(self.rows)}
            self.taken.append(change["operation"])
            if change["operation"] == "delete":
                del self.rows[change["key"]]
                continue
            self.rows[change["values"]["id"]] = change["values"]
            if self._brings:
                row = build.version("2026-11-22T10:00:00Z", None, id=change["values"]["id"])
                build.write_history(self._lake, "vehicles", {"id": "int"}, [row])
        body = {"statusCode": 200, "body": {"keys": {"vehicles": sorted(self.rows, reverse=True)}}}
        return {"Payload": io.BytesIO(json.dumps(body).encode())}


def flown(source: Source, lake: Path, **instead: Any) -> str:
    task = {
        "ReplicationTaskArn": "arn",
        "Status": "running",
        "SourceEndpointArn": "s",
        "TargetEndpointArn": "t",
        "ReplicationInstanceArn": "i",
        "TableMappings": "{}",
    }
    answers: dict[str, Any] = {
        "describe_replication_tasks": [task],
        "get_job_runs": [{"Id": "jr_1", "JobRunState": "RUNNING"}],
        "head_object": AwsError("AWS008", "none", aws_code="404"),
        "put_object": source.keep,
        "invoke": source.answer,
        **instead,
    }
    aws = AnsweringAws(answers)
    pipeline = load_file(CONFIG).pipeline
    assert pipeline is not None
    report = fly_canary(
        Target("demo", aws),  # type: ignore[arg-type]  # answers from a table
        pipeline,
        Lake(lake, LakePaths.below(str(lake))),
        Waiting(5, 0.01, scale=0.0005),
        SilentProgress(),
    )
    return report.detail


@pytest.mark.parametrize("refused", [0, 2])
def test_a_row_is_timed_to_the_lake_and_deleted_again(refused: int, tmp_path: Path) -> None:
    source = Source(tmp_path, refused=refused)
    assert flown(source, tmp_path).startswith("a row came to the lake in 0.")
    assert source.taken == ["insert", "delete"]
    assert source.rows.keys() == {7}


def test_a_row_that_does_not_come_is_deleted_again_and_says_where_to_look(tmp_path: Path) -> None:
    source = Source(tmp_path, brings=False)
    with pytest.raises(CdcctlError, match="did not come to the lake within 0 s") as caught:
        flown(source, tmp_path)
    assert (caught.value.code, caught.value.exit_code) == ("LAK080", ExitCode.FAILED)
    assert "cdcctl why vehicles id=-" in caught.value.fix
    assert source.taken == ["insert", "delete"]
    assert source.rows.keys() == {7}


def test_a_source_that_does_not_take_the_row_is_told(tmp_path: Path) -> None:
    source = Source(tmp_path, refused=99)
    with pytest.raises(CdcctlError, match="did not take the canary's row") as caught:
        flown(source, tmp_path)
    assert (caught.value.code, caught.value.why) == ("DB015", REFUSAL["error"])


def test_a_row_that_cannot_be_deleted_is_named(tmp_path: Path) -> None:
    source = Source(tmp_path)
    answer: Callable[[dict[str, Any]], Any] = source.answer

    def refusing_deletes(asked: dict[str, Any]) -> Any:
        if source.taken:
            source._refused = 1
        return answer(asked)

    with pytest.raises(CdcctlError, match="stays in the source: id -") as caught:
        flown(source, tmp_path, invoke=refusing_deletes)
    assert caught.value.code == "DB016"
    assert caught.value.fix.startswith("DELETE FROM vehicles WHERE id = -")


def test_without_a_job_no_row_is_written(tmp_path: Path) -> None:
    source = Source(tmp_path)
    with pytest.raises(CdcctlError, match="no row would come to the lake: the job does not run"):
        flown(source, tmp_path, get_job_runs=[])
    assert source.taken == []


def test_a_config_without_the_fleet_is_refused_before_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tables.yaml"
    file.write_text(CONFIG.read_text(encoding="utf-8").replace("- name: vehicles", "- name: cars"))
    code = app.run(["deploy", "--stack", "demo", "--verify", "e2e", "-c", str(file)])
    assert (code, "USE044" in capsys.readouterr().err) == (ExitCode.USAGE, True)
