"""How a deployed pipeline tells of itself: lag in status, quiet logs, alerts to its topic."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from cdcctl.errors import ExitCode
from cdcctl.ui.output import schema_of
from glue_job.contract.telemetry import NAMESPACE
from glue_job.edge.aws import publisher
from tests.aws.conftest import CONFIG
from tests.fakeaws.fixture import FakeAws
from tests.readme_blocks import hold_to_readme

pytestmark = pytest.mark.aws

Run = Callable[..., tuple[int, str, str]]


def test_the_commands_print_what_the_readme_says(
    on_one_stack: tuple[Run, FakeAws],
    changed_config: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cdcctl, _ = on_one_stack
    shutil.copytree(CONFIG.parent, tmp_path / "config")
    Path(changed_config).rename(tmp_path / "changed.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run(line: str) -> str:
        _, out, err = cdcctl(*shlex.split(line))
        return out or err

    hold_to_readme("stack", run)


def test_logs_of_the_job_leave_its_metrics_out(on_one_stack: tuple[Run, FakeAws]) -> None:
    cdcctl, fake_aws = on_one_stack
    run = fake_aws.client("glue").get_job_runs(JobName="demo-cdc")["JobRuns"][0]["Id"]
    logs, now = fake_aws.client("logs"), int(time.time() * 1000)

    def say(group: str, *said: str) -> None:
        place = {"logGroupName": group, "logStreamName": run}
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(**place)
        events = [{"timestamp": now, "message": text} for text in said]
        logs.put_log_events(**place, logEvents=events)

    # The job has a security configuration: Glue then names its groups so.
    own = "/aws-glue/jobs/demo-security-role/demo-GlueRole-1"
    say(f"{own}/output", '{"_aws": {}, "table": "vehicles"}', "vehicles: batch 3", "drivers: 4")
    say("/aws-glue/jobs/demo-two-security-role/demo-two-GlueRole/output", "vehicles: of another")
    code, out, err = cdcctl("logs", "glue", "--table", "vehicles", "-o", "jsonl")
    assert code == 0, err
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["vehicles: batch 3"]
    assert "_aws" in cdcctl("-v", "logs", "glue", "--table", "vehicles")[1]


def test_status_tells_the_lag_and_exits_so(
    on_one_stack: tuple[Run, FakeAws], monkeypatch: pytest.MonkeyPatch
) -> None:
    cdcctl, fake_aws = on_one_stack

    def told(table: str, seconds: float) -> None:
        """Give CloudWatch what it takes from the job's lines."""
        of = [{"Name": "stack", "Value": "demo"}, {"Name": "table", "Value": table}]
        fake_aws.client("cloudwatch").put_metric_data(
            Namespace=NAMESPACE,
            MetricData=[
                {"MetricName": "lag_messages", "Dimensions": of, "Value": 37},
                {"MetricName": "lag_seconds", "Dimensions": of, "Value": seconds},
                {"MetricName": "batch_seconds", "Dimensions": of, "Value": 6.1},
            ],
        )

    told("vehicles", 12.0)
    code, out, err = cdcctl("status", "--exit-status", "-o", "json")
    document = json.loads(out)
    jsonschema.validate(document, schema_of("status/v1"))
    seen = document["data"]
    assert (code, seen["problems"]) == (0, []), err
    assert seen["tables"]["vehicles"]["lag_messages"] == 37
    assert seen["tables"]["vehicles"]["batch_seconds"] == 6.1
    assert seen["tables"]["drivers"]["lag_messages"] is None
    told("drivers", 900.0)
    code, out, _ = cdcctl("status", "--exit-status", "-o", "json")
    assert code == ExitCode.UNHEALTHY
    assert [each["fix"] for each in json.loads(out)["data"]["problems"]] == [
        "cdcctl logs glue --table drivers --stack demo"
    ]
    monkeypatch.setenv("COLUMNS", "100")
    hold_to_readme("late", lambda line: cdcctl(*line.split())[1])


@pytest.mark.slow
def test_status_of_a_whole_stack_takes_two_seconds(on_one_stack: tuple[Run, FakeAws]) -> None:
    _, fake_aws = on_one_stack
    environment = {**os.environ, **fake_aws.env(), "CDCCTL_STACK": "demo"}
    taken = []
    for _ in range(3):
        began = time.monotonic()
        words = [sys.executable, "-m", "cdcctl", "status", "-o", "json"]
        done = subprocess.run(words, env=environment, capture_output=True, check=True)
        taken.append(time.monotonic() - began)
        assert json.loads(done.stdout)["data"]["tables"]
    assert statistics.median(taken) < 2.0, taken


def test_status_is_watched_until_it_is_interrupted(on_one_stack: tuple[Run, FakeAws]) -> None:
    _, fake_aws = on_one_stack
    watching = subprocess.Popen(
        [sys.executable, "-m", "cdcctl", "status", "--watch", "--interval", "1", "-o", "jsonl"],
        env={**os.environ, **fake_aws.env(), "CDCCTL_STACK": "demo"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    tables = [json.loads(watching.stdout.readline())["table"] for _ in range(6)]
    watching.send_signal(signal.SIGINT)
    assert watching.wait(timeout=20) == ExitCode.INTERRUPTED
    assert tables[5] == tables[0]


def test_an_alert_reaches_who_listens_to_the_topic_of_the_stack(
    on_one_stack: tuple[Run, FakeAws],
) -> None:
    _, fake_aws = on_one_stack
    job = fake_aws.client("glue").get_job(JobName="demo-cdc")["Job"]
    topic = job["DefaultArguments"]["--alert-topic"]
    sns, sqs = fake_aws.client("sns"), fake_aws.client("sqs")
    queue = sqs.create_queue(QueueName="ops")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    publisher(topic)("cdcctl demo fahrzeüge: alert", "error: it does not go on")
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    body = json.loads(message["Body"])
    assert body["Subject"] == "cdcctl demo fahrze?ge: alert"
    assert body["Message"] == "error: it does not go on"
