"""Functions run for real, under the fake's Python, with what their stack gives them."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from tests.fakeaws.fixture import REGION, FakeAws
from tests.local.running_stack import eventually

pytestmark = pytest.mark.aws

HANDLER = """
import os
import psycopg2, ours

def handler(event, context):
    return {"ours": ours.NAME, "theirs": psycopg2.__version__[:1], "mode": os.environ["DB_SSLMODE"]}
"""


def archive(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for name, text in files.items():
            made.writestr(name, text)
    return content.getvalue()


LAYER = archive(
    {
        "python/ours.py": "NAME = 'the layer'",
        "python/psycopg2/__init__.py": "raise ImportError('built for another Python')",
        "python/psycopg2/_psycopg.cpython-399-x86_64-linux-gnu.so": "",
    }
)


def template(bucket: str) -> str:
    function: dict[str, Any] = {
        "FunctionName": "sql-runner",
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": f"arn:aws:iam::{bucket[-12:]}:role/r",
        "Code": {"S3Bucket": bucket, "S3Key": "code.zip"},
        "Layers": [{"Ref": "Layer"}],
        "Environment": {"Variables": {"DB_SSLMODE": "require"}},
    }
    layer = {"Content": {"S3Bucket": bucket, "S3Key": "layer.zip"}, "LayerName": "psycopg2"}
    return json.dumps(
        {
            "Resources": {
                "Layer": {"Type": "AWS::Lambda::LayerVersion", "Properties": layer},
                "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
            }
        }
    )


def test_a_layer_for_another_python_gives_way_to_the_fakes_own(fake_aws: FakeAws) -> None:
    fake_aws.settings(lambda_env={"DB_SSLMODE": "disable", "NOT_IN_THE_TEMPLATE": "x"})
    bucket = f"code-{fake_aws.account}"
    s3, cloudformation = fake_aws.client("s3"), fake_aws.client("cloudformation")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="layer.zip", Body=LAYER)
    s3.put_object(Bucket=bucket, Key="code.zip", Body=archive({"index.py": HANDLER}))
    cloudformation.create_stack(StackName="functions", TemplateBody=template(bucket))

    def is_made() -> bool | None:
        stack = cloudformation.describe_stacks(StackName="functions")["Stacks"][0]
        return stack["StackStatus"] == "CREATE_COMPLETE" or None

    assert eventually(is_made, 20)
    answer = fake_aws.client("lambda").invoke(FunctionName="sql-runner", Payload=b"{}")
    assert json.load(answer["Payload"]) == {"ours": "the layer", "theirs": "2", "mode": "disable"}
