"""What a stack's parts are called; a stack's name decides all of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_BUCKET_NAME = 63
MAX_STACK_NAME = 38
"""A bucket's name has 63 characters at most, and `-access-logs-` and the account take 25."""
_STACK_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def fault_of_stack_name(stack: str) -> str | None:
    """Say what is wrong with a stack's name; None when nothing is."""
    if len(stack) > MAX_STACK_NAME:
        return (
            f"it has {len(stack)} characters and {MAX_STACK_NAME} is the limit"
            f" (the bucket {stack}-access-logs-ACCOUNT must stay within 63)"
        )
    if not _STACK_NAME.fullmatch(stack):
        return "it must be lower-case letters, digits and single hyphens, and start with a letter"
    return None


@dataclass(frozen=True)
class StackNames:
    """The names of one stack's parts in one account."""

    stack: str
    account: str

    @property
    def bootstrap_stack(self) -> str:
        """Name the stack that holds the assets bucket."""
        return f"{self.stack}-bootstrap"

    @property
    def assets_bucket(self) -> str:
        """Name the bucket of code, config, checkpoints and requests."""
        return f"{self.stack}-assets-{self.account}"

    @property
    def delta_bucket(self) -> str:
        """Name the bucket of the lake's tables."""
        return f"{self.stack}-delta-{self.account}"

    @property
    def quarantine_bucket(self) -> str:
        """Name the bucket of refused rows."""
        return f"{self.stack}-quarantine-{self.account}"

    @property
    def access_logs_bucket(self) -> str:
        """Name the bucket of S3's server access logs."""
        return f"{self.stack}-access-logs-{self.account}"

    @property
    def buckets(self) -> tuple[str, ...]:
        """Name all buckets, that of the access logs last: deleting others still logs."""
        return (
            self.delta_bucket,
            self.quarantine_bucket,
            self.assets_bucket,
            self.access_logs_bucket,
        )

    @property
    def glue_job(self) -> str:
        """Name the streaming job."""
        return f"{self.stack}-cdc"

    @property
    def glue_database(self) -> str:
        """Name the Glue catalog's database; Athena takes no hyphen without quotes."""
        return f"{self.stack.replace('-', '_')}_db"

    @property
    def replication_task(self) -> str:
        """Name the DMS task."""
        return f"{self.stack}-cdc-task"

    @property
    def sql_runner(self) -> str:
        """Name the Lambda that runs compiled SQL on the source."""
        return f"{self.stack}-sql-runner"

    @property
    def kafka_admin(self) -> str:
        """Name the Lambda that makes topics."""
        return f"{self.stack}-kafka-admin"

    @property
    def table_creator(self) -> str:
        """Name the Lambda that registers lake tables for Athena."""
        return f"{self.stack}-athena-table-creator"

    @property
    def bootstrap_servers(self) -> str:
        """Name the Lambda that tells the stack the brokers' addresses."""
        return f"{self.stack}-msk-bootstrap-servers"

    @property
    def functions(self) -> tuple[str, ...]:
        """Name the Lambdas that the tool invokes."""
        return (self.sql_runner, self.kafka_admin, self.table_creator)

    @property
    def kafka_log_group(self) -> str:
        """Name the log group of the brokers."""
        return f"/cdcctl/{self.stack}/kafka"

    @property
    def dms_log_group(self) -> str:
        """Name the log group that DMS makes for the replication instance."""
        return f"dms-tasks-{self.stack}-dms"

    @property
    def job_secret(self) -> str:
        """Name the secret of the job's Kafka user."""
        return f"AmazonMSK_{self.stack}_scram"

    @property
    def dms_secret(self) -> str:
        """Name the secret of DMS's Kafka user."""
        return f"AmazonMSK_{self.stack}_dms_scram"

    @property
    def dms_source_secret(self) -> str:
        """Name the secret of DMS's user at the source."""
        return f"{self.stack}-dms-source"

    @property
    def glue_log_groups(self) -> tuple[str, ...]:
        """Give what the log groups of the job begin with; Glue names them by its security."""
        security = f"{self.stack}-security"
        return (f"/aws-glue/jobs/{security}-role/", f"/aws-glue/jobs/logs-v2-{security}")
