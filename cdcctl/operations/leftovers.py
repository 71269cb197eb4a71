"""Finds what services keep beside a stack: logs, backups, layers, secrets, interfaces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cdcctl.aws import network
from cdcctl.operations.target import Target


@dataclass(frozen=True)
class Leftover:
    """One thing that no stack removes; `part` is a layer's version."""

    kind: str
    name: str
    part: str = ""
    gigabytes: int = 0
    """Of a backup: the size of its database's disk."""

    @property
    def is_backup(self) -> bool:
        """Tell whether it holds rows, which go only when nothing at all is to stay."""
        return self.kind in {"snapshot", "automated backup"}

    def __str__(self) -> str:
        """Name it for the operator."""
        return f"{self.kind} {self.name}{f' version {self.part}' if self.part else ''}"


def database_pattern(target: Target) -> str:
    """Match the identifiers that CloudFormation gives a stack's database, in small letters."""
    return rf"{re.escape(target.stack)}-dbinstance-[a-z0-9]+"


def find_leftovers(target: Target, *, is_stack_there: bool) -> tuple[Leftover, ...]:
    """Look for backups of the database, layers, secrets and network interfaces.

    While the stack is there, secrets and interfaces are its own, but for a secret that waits for
    its deletion: it keeps its name from a new stack until then.
    """
    return (
        *backups(target),
        *layers(target),
        *_secrets(target, are_own=is_stack_there),
        *(() if is_stack_there else interfaces(target)),
    )


def log_groups(target: Target) -> tuple[str, ...]:
    """Name the log groups that are there of those that a stack and its services make.

    The job's own are under its security configuration; those that all jobs share stay.
    """
    names = target.names
    exact = (
        *(f"/aws/lambda/{name}" for name in (*names.functions, names.bootstrap_servers)),
        names.kafka_log_group,
        names.dms_log_group,
    )
    wanted = re.compile(
        "|".join(
            (
                *map(re.escape, exact),
                *(f"{re.escape(beginning)}.*" for beginning in names.glue_log_groups),
                f"/aws/rds/instance/{database_pattern(target)}/(postgresql|upgrade)",
            )
        )
    )
    prefixes = (
        f"/aws/lambda/{target.stack}-",
        f"/cdcctl/{target.stack}/",
        f"dms-tasks-{target.stack}-",
        f"/aws/rds/instance/{target.stack}-",
        *names.glue_log_groups,
    )
    found = {
        group["logGroupName"]
        for prefix in prefixes
        for group in target.aws.pages(
            "logs", "describe_log_groups", "logGroups", logGroupNamePrefix=prefix
        )
    }
    return tuple(sorted(filter(wanted.fullmatch, found)))


def remove(target: Target, leftover: Leftover) -> None:
    """Remove one for good."""
    match leftover.kind:
        case "snapshot":
            target.aws.call("rds", "delete_db_snapshot", DBSnapshotIdentifier=leftover.name)
        case "automated backup":
            target.aws.call(
                "rds", "delete_db_instance_automated_backup", DbiResourceId=leftover.name
            )
        case "network interface":
            network.delete_interface(target.aws, leftover.name)
        case "layer":
            target.aws.call(
                "lambda",
                "delete_layer_version",
                LayerName=leftover.name,
                VersionNumber=int(leftover.part),
            )
        case "secret":
            target.aws.call(
                "secretsmanager",
                "delete_secret",
                SecretId=leftover.name,
                ForceDeleteWithoutRecovery=True,
            )


def backups(target: Target) -> Iterator[Leftover]:
    """Give the snapshots of the stack's databases, and what RDS has kept of those that are gone."""
    yield from _snapshots(target)
    yield from _automated_backups(target)


def _snapshots(target: Target) -> Iterator[Leftover]:
    own = re.compile(database_pattern(target))
    for each in target.aws.pages("rds", "describe_db_snapshots", "DBSnapshots"):
        # An automated one is part of a backup: of the database, or of one that was kept.
        is_automated = each.get("SnapshotType") == "automated"
        if not is_automated and own.fullmatch(each["DBInstanceIdentifier"].lower()):
            size = int(each.get("AllocatedStorage", 0))
            yield Leftover("snapshot", each["DBSnapshotIdentifier"], gigabytes=size)


def _automated_backups(target: Target) -> Iterator[Leftover]:
    own = re.compile(database_pattern(target))
    listed = target.aws.pages(
        "rds", "describe_db_instance_automated_backups", "DBInstanceAutomatedBackups"
    )
    for each in listed:
        if each["Status"] == "retained" and own.fullmatch(each["DBInstanceIdentifier"].lower()):
            size = int(each.get("AllocatedStorage", 0))
            yield Leftover("automated backup", each["DbiResourceId"], gigabytes=size)


def layers(target: Target) -> Iterator[Leftover]:
    """Give every version of the stack's layers."""
    wanted = {f"{target.stack}-psycopg2", f"{target.stack}-kafka"}
    for layer in target.aws.pages("lambda", "list_layers", "Layers"):
        if layer["LayerName"] in wanted:
            name = layer["LayerName"]
            for each in target.aws.pages(
                "lambda", "list_layer_versions", "LayerVersions", LayerName=name
            ):
                yield Leftover("layer", name, str(each["Version"]))


def _secrets(target: Target, *, are_own: bool) -> Iterator[Leftover]:
    for each in held_secrets(target):
        if each.get("DeletedDate") or not are_own:
            yield Leftover("secret", each["Name"])


def interfaces(target: Target) -> Iterator[Leftover]:
    """Give the interfaces that Lambda has not taken back."""
    for interface in network.interfaces_of_functions(target.aws, target.names.functions):
        yield Leftover("network interface", interface)


def held_secrets(target: Target) -> Iterator[Mapping[str, Any]]:
    """Give the secrets that bear the names of a stack's, those that wait for deletion too."""
    names = target.names
    wanted = {names.job_secret, names.dms_secret, names.dms_source_secret}
    for each in target.aws.pages(
        "secretsmanager",
        "list_secrets",
        "SecretList",
        IncludePlannedDeletion=True,
        Filters=[{"Key": "name", "Values": sorted(wanted)}],
    ):
        if each["Name"] in wanted:
            yield each
