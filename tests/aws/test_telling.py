"""How a deployed pipeline tells of itself: lag in status, quiet logs, alerts to its topic."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import jsonschema
import pytest

from cdcctl.errors import ExitCode
from cdcctl.ui.output import schema_of
from glue_job.contract.telemetry import NAMESPACE
from glue_job.edge.aws import publisher
from tests.fakeaws.fixture import FakeAws

pytestmark = pytest.mark.aws

Run = Callable[..., tuple[int, str, str]]


def test_logs_of_the_job_leave_its_metrics_out(on_one_stack: tuple[Run, FakeAws]) -> None:
    cdcctl, fake_aws = on_one_stack
    run = fake_aws.client("glue").get_job_runs(JobName="demo-cdc")["JobRuns"][0]["Id"]
    logs, place = fake_aws.client("logs"), {"logGroupName": "/aws-glue/jobs/output"}
    logs.create_log_group(**place)
    place["logStreamName"] = run
    logs.create_log_stream(**place)
    said = ('{"_aws": {}, "table": "vehicles"}', "vehicles: batch 3", "drivers: batch 4")
    now = int(time.time() * 1000)
    logs.put_log_events(**place, logEvents=[{"timestamp": now, "message": text} for text in said])
    code, out, err = cdcctl("logs", "glue", "--table", "vehicles", "-o", "jsonl")
    assert code == 0, err
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["vehicles: batch 3"]
    assert "_aws" in cdcctl("-v", "logs", "glue", "--table", "vehicles")[1]


def test_status_tells_the_lag_and_exits_so(on_one_stack: tuple[Run, FakeAws]) -> None:
    cdcctl, fake_aws = on_one_stack

    def told(seconds: float) -> None:
        """Give CloudWatch what it takes from the job's lines."""
        of = [{"Name": "stack", "Value": "demo"}, {"Name": "table", "Value": "vehicles"}]
        fake_aws.client("cloudwatch").put_metric_data(
            Namespace=NAMESPACE,
            MetricData=[
                {"MetricName": "lag_messages", "Dimensions": of, "Value": 37},
                {"MetricName": "lag_seconds", "Dimensions": of, "Value": seconds},
            ],
        )

    told(12.0)
    code, out, err = cdcctl("status", "--exit-status", "-o", "json")
    document = json.loads(out)
    jsonschema.validate(document, schema_of("status/v1"))
    seen = document["data"]
    assert (code, seen["problems"]) == (0, []), err
    assert seen["tables"]["vehicles"]["lag_messages"] == 37
    assert seen["tables"]["drivers"]["lag_messages"] is None
    told(900.0)
    code, out, _ = cdcctl("status", "--exit-status", "-o", "json")
    assert code == ExitCode.UNHEALTHY
    assert [each["fix"] for each in json.loads(out)["data"]["problems"]] == [
        "cdcctl logs glue --table vehicles"
    ]
    code, out, _ = cdcctl("status")
    assert (code, "37 messages wait in Kafka, the oldest for 900 s" in out) == (0, True)


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
