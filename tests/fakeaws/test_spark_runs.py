"""A run is a real Spark process that keeps Delta tables in the fake's S3."""

from __future__ import annotations

import time

import pytest
from deltalake import DeltaTable

from tests.fakeaws.fixture import REGION, FakeAws
from tests.fakeaws.real_parts import run_jobs_here

pytestmark = [pytest.mark.aws, pytest.mark.slow, pytest.mark.spark]

SCRIPT = b"""
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
table = sys.argv[2]
spark.range(3).write.format("delta").save(table)
spark.range(3, 5).write.format("delta").mode("append").save(table)
assert spark.read.format("delta").load(table).count() == 5
"""


def test_a_run_writes_delta_to_s3(fake_aws: FakeAws) -> None:
    bucket = f"lake-{fake_aws.account}"
    s3, glue = fake_aws.client("s3"), fake_aws.client("glue")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="code/main.py", Body=SCRIPT)
    run_jobs_here(fake_aws)
    glue.create_job(
        Name="j",
        Role="r",
        Command={"Name": "gluestreaming", "ScriptLocation": f"s3://{bucket}/code/main.py"},
        DefaultArguments={
            "--table": f"s3://{bucket}/tables/t",
            "--conf": "spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension"
            " --conf spark.sql.catalog.spark_catalog="
            "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        },
    )
    run = glue.start_job_run(JobName="j")["JobRunId"]
    ends_at = time.monotonic() + 240
    found = {"JobRunState": "STARTING"}
    while found["JobRunState"] in ("STARTING", "RUNNING") and time.monotonic() < ends_at:
        time.sleep(0.5)
        found = glue.get_job_run(JobName="j", RunId=run)["JobRun"]
    assert found["JobRunState"] == "SUCCEEDED", found.get("ErrorMessage")
    options = {**fake_aws.env(), "AWS_ALLOW_HTTP": "true"}
    table = DeltaTable(f"s3://{bucket}/tables/t", storage_options=options)
    assert table.count() == 5
