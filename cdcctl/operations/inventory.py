"""What a teardown would remove, and what bills on after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from cdcctl.aws import cloudformation as cfn
from cdcctl.aws import rds, s3
from cdcctl.errors import CdcctlError
from cdcctl.lake.reader import ROWS, Lake, LakeTable
from cdcctl.lake.store import S3Store
from cdcctl.operations.cost.estimate import Estimate, deployed_cost
from cdcctl.operations.leftovers import Leftover, find_leftovers, log_groups
from cdcctl.operations.target import Target
from glue_job.contract.lake import LakePaths


@dataclass(frozen=True)
class BucketContent:
    """One bucket: every version counts."""

    name: str
    versions: int
    size_bytes: int


@dataclass(frozen=True)
class Database:
    """A database and the size of its disk."""

    name: str
    gigabytes: int


@dataclass(frozen=True)
class LakeRows:
    """How many rows a table of the lake has, and how many are refused; None: not readable."""

    table: str
    history: int | None
    refused: int | None


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
    databases: tuple[Database, ...]
    lake: tuple[LakeRows, ...]
    leftovers: tuple[Leftover, ...]
    """What no stack removes: it is there from an earlier stack, or will be."""
    cost: Estimate | None
    """What the stack costs now; None: there is none."""

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is left."""
        return not (self.stacks or self.buckets or self.log_groups or self.leftovers)

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
            "databases": [each.name for each in self.databases],
            "database_gigabytes": {each.name: each.gigabytes for each in self.databases},
            "lake": [asdict(each) for each in self.lake],
            "leftovers": [str(each) for each in self.leftovers],
            "cost": None if self.cost is None else self.cost.as_document(),
        }


def take_inventory(target: Target) -> Inventory:
    """Look for all of a stack by the exact names of its parts."""
    names = target.names
    states = {
        name: cfn.find_stack(target.aws, name) for name in (target.stack, names.bootstrap_stack)
    }
    there = tuple(name for name, state in states.items() if state is not None)
    main = states[target.stack]
    made = None if main is None or main.status == cfn.REVIEWED else main
    return Inventory(
        target.stack,
        target.aws.account,
        target.aws.region,
        there,
        any(state.is_protected for state in states.values() if state is not None),
        tuple(_contents(target)),
        log_groups(target),
        tuple(_databases(target, main)),
        tuple(_lake_rows(target)),
        find_leftovers(target, is_stack_there=made is not None),
        None if made is None else deployed_cost(target.aws, made),
    )


def _databases(target: Target, main: cfn.StackState | None) -> Iterator[Database]:
    identifier = main.outputs.get("DbInstanceIdentifier") if main is not None else None
    found = rds.find_instance(target.aws, identifier) if identifier else None
    if found is not None:
        yield Database(found["DBInstanceIdentifier"], int(found["AllocatedStorage"]))


def _lake_rows(target: Target) -> Iterator[LakeRows]:
    names = target.names
    paths = LakePaths(f"s3://{names.delta_bucket}", f"s3://{names.quarantine_bucket}")
    lake = Lake(paths.delta, paths, S3Store(target.aws))
    try:
        tables = lake.table_names()
    except CdcctlError:
        # A bucket that is gone, or may not be read: its bytes are told all the same.
        return
    for table in tables:
        yield LakeRows(table, _count(lake.history, table), _count(lake.quarantine, table))


def _count(opened: Callable[[str], LakeTable | None], table: str) -> int | None:
    try:
        found = opened(table)
        return 0 if found is None else int(found.query(f"SELECT count(*) AS n FROM {ROWS}")[0]["n"])
    except CdcctlError:
        return None


def _contents(target: Target) -> Iterator[BucketContent]:
    for bucket in target.names.buckets:
        if s3.has_bucket(target.aws, bucket):
            found = list(s3.versions(target.aws, bucket))
            size = sum(int(each.get("Size", 0)) for each in found)
            yield BucketContent(bucket, len(found), size)
