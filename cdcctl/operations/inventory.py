"""What a teardown would remove, and what bills on after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cdcctl.aws import cloudformation as cfn
from cdcctl.aws import s3
from cdcctl.operations.target import Target


@dataclass(frozen=True)
class BucketContent:
    """One bucket: every version counts."""

    name: str
    versions: int
    size_bytes: int


@dataclass(frozen=True)
class Inventory:
    """Everything of a stack that is there now."""

    stack: str
    account: str
    region: str
    stacks: tuple[str, ...]
    is_protected: bool
    buckets: tuple[BucketContent, ...]
    log_groups: tuple[str, ...]
    databases: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is left."""
        return not (self.stacks or self.buckets or self.log_groups)

    def as_document(self) -> dict[str, Any]:
        """Give the inventory as plain data."""
        return {
            "stack": self.stack,
            "account": self.account,
            "region": self.region,
            "stacks": list(self.stacks),
            "protected": self.is_protected,
            "buckets": [
                {"name": each.name, "versions": each.versions, "bytes": each.size_bytes}
                for each in self.buckets
            ],
            "log_groups": list(self.log_groups),
            "databases": list(self.databases),
        }


def take_inventory(target: Target) -> Inventory:
    """Look for stacks, buckets and log groups by their exact names."""
    names = target.names
    states = {
        name: cfn.find_stack(target.aws, name) for name in (target.stack, names.bootstrap_stack)
    }
    there = tuple(name for name, state in states.items() if state is not None)
    main = states[target.stack]
    return Inventory(
        target.stack,
        target.aws.account,
        target.aws.region,
        there,
        any(state.is_protected for state in states.values() if state is not None),
        tuple(_contents(target)),
        log_groups(target),
        (main.outputs.get("DbInstanceIdentifier", ""),) if main and main.outputs else (),
    )


def bucket_names(target: Target) -> tuple[str, ...]:
    """Name every bucket of a stack, that of the access logs last: deleting others still logs."""
    names = target.names
    return (
        names.delta_bucket,
        names.quarantine_bucket,
        names.assets_bucket,
        names.access_logs_bucket,
    )


def log_groups(target: Target) -> tuple[str, ...]:
    """Name the log groups that are there of those that a stack, its Lambdas and DMS make."""
    names = target.names
    wanted = {
        *(f"/aws/lambda/{name}" for name in (*names.functions, names.bootstrap_servers)),
        names.kafka_log_group,
        names.dms_log_group,
    }
    prefixes = (
        f"/aws/lambda/{target.stack}-",
        f"/cdcctl/{target.stack}/",
        f"dms-tasks-{target.stack}-",
    )
    found = {
        group["logGroupName"]
        for prefix in prefixes
        for group in target.aws.pages(
            "logs", "describe_log_groups", "logGroups", logGroupNamePrefix=prefix
        )
    }
    return tuple(sorted(found & wanted))


def _contents(target: Target) -> Iterator[BucketContent]:
    for bucket in bucket_names(target):
        if s3.has_bucket(target.aws, bucket):
            found = list(s3.versions(target.aws, bucket))
            size = sum(int(each.get("Size", 0)) for each in found)
            yield BucketContent(bucket, len(found), size)
