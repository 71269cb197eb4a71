"""What the job asks of AWS: who it is, where the brokers are, and the Kafka user's password."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from glue_job.edge.s3_lease import S3Lease
from glue_job.errors import JobError

if TYPE_CHECKING:
    from botocore.config import Config

_ENDED = {"STOPPED", "SUCCEEDED", "FAILED", "TIMEOUT", "ERROR", "EXPIRED"}
"""States of a Glue job run that has ended (Glue API, JobRun)."""
_ASSETS_BUCKET = re.compile(r"s3://(?P<stack>.+)-assets-(?P<account>[0-9]{12})/")


def placeholders(config_address: str) -> dict[str, str]:
    """Give STACK_NAME from the assets bucket `{stack}-assets-{account}`, the account from STS."""
    match = _ASSETS_BUCKET.match(config_address)
    if match is None:
        raise JobError(
            code="CFG050",
            what=f"the stack's name cannot be told from {config_address}",
            why="the config of a deployed job lies in the bucket <stack>-assets-<account>",
            fix="cdcctl deploy puts it there; for a local lake give --lake DIR",
        )
    account = str(_client("sts").get_caller_identity()["Account"])
    return {"STACK_NAME": match["stack"], "AWS_ACCOUNT_ID": account}


def bootstrap_servers(cluster_arn: str | None) -> str:
    """Ask MSK for the SASL/SCRAM brokers (port 9096)."""
    if cluster_arn is None:
        raise JobError(
            code="KFK003",
            what="there is no way to the brokers",
            why="the config says PLACEHOLDER and no cluster is named",
            fix="give --bootstrap-servers or --msk-cluster-arn",
        )
    answer = _client("kafka").get_bootstrap_brokers(ClusterArn=cluster_arn)
    servers = answer.get("BootstrapBrokerStringSaslScram")
    if not servers:
        raise JobError(
            code="KFK004",
            what=f"the cluster {cluster_arn} has no SASL/SCRAM brokers",
            fix="turn SASL/SCRAM on for the cluster",
        )
    return str(servers)


def kafka_user(secret_arn: str | None) -> tuple[str, str]:
    """Read user name and password from the cluster's secret, named by its exact ARN."""
    if secret_arn is None:
        raise JobError(
            code="KFK005",
            what="there is no password for Kafka",
            fix="give --secret-arn or --sasl-password-file",
        )
    answer = _client("secretsmanager").get_secret_value(SecretId=secret_arn)
    try:
        held = json.loads(answer["SecretString"])
        return str(held["username"]), str(held["password"])
    except (ValueError, KeyError, TypeError):
        raise JobError(
            code="KFK006",
            what=f"the secret {secret_arn} is not a Kafka user",
            why='it must be {"username": .., "password": ..}',
            fix="deploy the stack again, which makes the secret",
        ) from None


def publisher(topic_arn: str) -> Callable[[str, str], None]:
    """Give a way to send a subject and a text to an SNS topic; it gives up within seconds."""
    from botocore.config import Config

    patience = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})
    client = _client("sns", patience)

    def send(subject: str, text: str) -> None:
        # SNS takes subjects of at most a hundred ASCII characters (Publish, "Subject").
        shown = subject.encode("ascii", "replace").decode()[:100]
        client.publish(TopicArn=topic_arn, Subject=shown, Message=text)

    return send


def lease(job_name: str, run_id: str, checkpoints: str) -> S3Lease:
    """Give the lease of a deployed job's lake: an object beside its checkpoints."""
    bucket, _, prefix = checkpoints.removeprefix("s3://").partition("/")
    key = f"{prefix.strip('/')}/_lease.json".lstrip("/")

    def has_ended(run: str) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = _client("glue").get_job_run(JobName=job_name, RunId=run)
        except (BotoCoreError, ClientError):
            # Not known is not ended: then the lease has to run out.
            return False
        return answer["JobRun"]["JobRunState"] in _ENDED

    return S3Lease(_client("s3"), bucket, key, run_id, has_ended=has_ended)


def _client(service: str, config: Config | None = None) -> Any:
    import boto3

    return boto3.client(service, config=config)  # type: ignore[call-overload]  # the stubs list literal names
