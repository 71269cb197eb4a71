"""A run of the job starts the bundle that was uploaded, with the template's arguments."""

from __future__ import annotations

import io
import json
import sys
import time
import zipfile
from typing import Any

import pytest

from tests.fakeaws.fixture import FakeAws

pytestmark = pytest.mark.aws

SCRIPT = b"""
import json, os, sys
from parts import where
import boto3
body = json.dumps({
    "arguments": sys.argv[1:],
    "where": where,
    "account": boto3.client("sts").get_caller_identity()["Account"],
    "defaults": open(os.environ["SPARK_CONF_DIR"] + "/spark-defaults.conf").read(),
})
boto3.client("s3").put_object(Bucket=sys.argv[2], Key="seen", Body=body)
if "--then" in sys.argv:
    exec(sys.argv[sys.argv.index("--then") + 1])
"""


def archive(**files: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for name, text in files.items():
            made.writestr(f"{name}.py", text)
    return content.getvalue()


@pytest.fixture
def bucket(fake_aws: FakeAws) -> str:
    name = f"assets-{fake_aws.account}"
    fake_aws.client("s3").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    return name


@pytest.fixture
def glue(fake_aws: FakeAws, bucket: str) -> Any:
    s3 = fake_aws.client("s3")
    s3.put_object(Bucket=bucket, Key="code/main.py", Body=SCRIPT)
    s3.put_object(Bucket=bucket, Key="code/job.zip", Body=archive(parts="where = 'the bucket'"))
    s3.put_object(Bucket=bucket, Key="code/some.jar", Body=b"jar")
    fake_aws.settings(glue_python=sys.executable)
    client = fake_aws.client("glue")
    client.create_job(
        Name="j",
        Role="r",
        Command={"Name": "gluestreaming", "ScriptLocation": f"s3://{bucket}/code/main.py"},
        DefaultArguments={
            "--bucket": bucket,
            "--extra-py-files": f"s3://{bucket}/code/job.zip",
            "--extra-jars": f"s3://{bucket}/code/some.jar",
            "--conf": "spark.a=1 --conf spark.b=2",
            "--level": "INFO",
        },
    )
    return client


def settled(glue: Any, run: str, *states: str) -> dict[str, Any]:
    ends_at = time.monotonic() + 30
    while time.monotonic() < ends_at:
        found: dict[str, Any] = glue.get_job_run(JobName="j", RunId=run)["JobRun"]
        if found["JobRunState"] in states:
            return found
        time.sleep(0.05)
    raise AssertionError(f"the run is {found['JobRunState']}")


def test_a_run_has_the_bundle_the_merged_arguments_and_the_account(
    fake_aws: FakeAws, bucket: str, glue: Any
) -> None:
    run = glue.start_job_run(JobName="j", Arguments={"--level": "DEBUG"})["JobRunId"]
    settled(glue, run, "SUCCEEDED")
    body = fake_aws.client("s3").get_object(Bucket=bucket, Key="seen")["Body"].read()
    seen = json.loads(body)
    given = dict(zip(seen["arguments"][::2], seen["arguments"][1::2], strict=True))
    assert given["--level"] == "DEBUG"
    assert given["--JOB_RUN_ID"] == run
    assert (seen["where"], seen["account"]) == ("the bucket", fake_aws.account)
    assert "spark.b 2\n" in seen["defaults"]
    assert "files/some.jar" in seen["defaults"]
    assert f"spark.hadoop.fs.s3a.access.key {fake_aws.account}\n" in seen["defaults"]


def test_a_run_fails_with_the_last_line_of_its_process(fake_aws: FakeAws, glue: Any) -> None:
    arguments = {"--then": "raise SystemExit('error[KFK01]: no brokers')"}
    run = glue.start_job_run(JobName="j", Arguments=arguments)["JobRunId"]
    failed = settled(glue, run, "FAILED")
    assert failed["ErrorMessage"] == "SystemExit: 1: error[KFK01]: no brokers"
    time.sleep(0.5)
    events = fake_aws.client("logs").get_log_events(
        logGroupName="/aws-glue/jobs/error", logStreamName=run
    )["events"]
    assert events[-1]["message"] == "error[KFK01]: no brokers"


def test_a_stopped_run_ends_its_process(glue: Any) -> None:
    arguments = {"--then": "import time; time.sleep(60)"}
    run = glue.start_job_run(JobName="j", Arguments=arguments)["JobRunId"]
    settled(glue, run, "RUNNING")
    glue.batch_stop_job_run(JobName="j", JobRunIds=[run])
    settled(glue, run, "STOPPED")


def test_a_script_that_is_not_there_fails_the_run(
    glue: Any, fake_aws: FakeAws, bucket: str
) -> None:
    fake_aws.client("s3").delete_object(Bucket=bucket, Key="code/main.py")
    run = glue.start_job_run(JobName="j")["JobRunId"]
    failed = settled(glue, run, "FAILED")
    assert failed["ErrorMessage"].startswith("LAUNCH ERROR | the specified key does not exist")
