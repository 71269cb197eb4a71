"""`cdcctl logs --local`: what the processes of the local stack wrote, merged by time."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from cdcctl import app
from cdcctl.aws.errors import AwsError
from cdcctl.errors import ExitCode
from cdcctl.local.layout import StackDirectory
from cdcctl.operations import log_lines
from cdcctl.ui.output import schema_of

WRITTEN = {
    "postgres": "2026-11-27 21:20:52.474 UTC [27154] LOG:  ready, password=s3cr3t",
    "broker": "2026-11-27 21:20:54,946 INFO KafkaRaftServer: started",
    "capture": "2026-11-27 21:20:56,453 INFO public.vehicles is loaded: 15 rows",
    "job": (
        "first words without a time\n"
        "26/11/27 21:20:53 WARN Utils: Your hostname\n"
        '{"_aws": {}, "table": "vehicles"}\n'
        "2026-11-27 21:20:55,000 ERROR glue_job vehicles: it fails\n"
        "Traceback (most recent call last):\n"
        "ValueError: 7"
    ),
}


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    made = StackDirectory(tmp_path / "stack")
    made.create()
    for name, text in WRITTEN.items():
        (made.logs / f"{name}.log").write_text(text + "\n", encoding="utf-8")
    return made.root


def lines(stack: Path, capsys: pytest.CaptureFixture[str], *words: str) -> list[tuple[str, str]]:
    since = ("--since", "2026-11-27", "-o", "json")
    assert app.run(["logs", *words, "--local", "--dir", str(stack), *since]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, schema_of("logs/v1"))
    return [(line["source"], line["text"]) for line in document["data"]["lines"]]


def test_the_lines_of_all_processes_are_merged_by_time(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lines(stack, capsys) == [
        ("postgres", "[27154] LOG:  ready, password=****"),
        ("broker", "INFO KafkaRaftServer: started"),
        ("job", "ERROR glue_job vehicles: it fails"),
        ("job", "Traceback (most recent call last):"),
        ("job", "ValueError: 7"),
        ("capture", "INFO public.vehicles is loaded: 15 rows"),
    ]


def test_lines_are_chosen(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [source for source, _ in lines(stack, capsys, "-t", "vehicles")] == ["job", "capture"]
    assert len(lines(stack, capsys, "job")) == 3
    assert len(lines(stack, capsys, "--grep", "ERROR|WARN")) == 1
    assert app.run(["logs", "--local", "--dir", str(stack), "--since", "2026-11-27T21:20:56Z"]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("public.vehicles is loaded: 15 rows")


def test_what_comes_later_is_followed(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-f", "--timeout", "0", "--since", "2026-11-27", "-o", "jsonl"]
    assert app.run(["logs", "broker", "--local", "--dir", str(stack), *words]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["at"] == "2026-11-27T21:20:54.946000Z"


def test_what_is_not_there_is_said(
    stack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["logs", "glue", "--local", "--dir", str(stack)]) == ExitCode.USAGE
    assert capsys.readouterr().err == (
        "error[USE051]: there are no logs of `glue`\n"
        "  why:  there are: broker, capture, job, postgres, all\n"
        "  fix:  cdcctl logs job --local\n"
    )
    nowhere = tmp_path / "nowhere"
    assert app.run(["logs", "--local", "--dir", str(nowhere)]) == ExitCode.NOT_FOUND
    assert capsys.readouterr().err == (
        f"error[LOC062]: there is no local stack in {nowhere}\n  fix:  cdcctl local up\n"
    )


def test_a_look_that_is_turned_away_for_a_moment_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_lines, "_POLL_SECONDS", 0.0)
    begins = datetime.now(UTC)
    said = log_lines.LogLine(begins, "glue", "it goes on")
    answers = iter((AwsError("AWS006", "AWS is busy", is_transient=True), said, said))

    def read() -> list[log_lines.LogLine]:
        answer = next(answers, AwsError("AWS004", "permission logs:FilterLogEvents is missing"))
        if isinstance(answer, AwsError):
            raise answer
        return [answer]

    request = log_lines.LogRequest("all", begins)
    followed = log_lines.follow_logs(lambda _: [read], request, None)
    assert [next(followed).text for _ in range(2)] == ["AWS is busy; asked again", "it goes on"]
    with pytest.raises(AwsError, match="AWS004"):
        next(followed)
