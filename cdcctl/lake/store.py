"""Where a lake's files lie: a folder, or buckets on S3. What Delta's own reader does not tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cdcctl.lake.faults import forbidden

if TYPE_CHECKING:
    from cdcctl.aws.session import Aws


class Store(Protocol):
    """Lists Delta tables and reads their logs."""

    def options(self) -> Mapping[str, str] | None:
        """Give what Delta's reader needs to open a table here."""

    def tables_below(self, root: str) -> set[str]:
        """Name the Delta tables that lie right below an address."""

    def has_commits(self, table: str) -> bool:
        """Tell whether a table has at least one commit."""

    def commits(self, table: str) -> Iterator[tuple[int, str]]:
        """Give the version and the text of each commit that the log still has, oldest first."""


class FolderStore:
    """A lake on this machine."""

    def options(self) -> None:
        """Nothing is needed for a folder."""
        return

    def tables_below(self, root: str) -> set[str]:
        """Name the folders that have a Delta log."""
        try:
            return {each.name for each in Path(root).iterdir() if (each / "_delta_log").is_dir()}
        except FileNotFoundError:
            return set()
        except PermissionError as error:
            raise forbidden(root, error) from error

    def has_commits(self, table: str) -> bool:
        """Look for a commit's file."""
        try:
            return any((Path(table) / "_delta_log").glob("*.json"))
        except PermissionError as error:
            raise forbidden(table, error) from error

    def commits(self, table: str) -> Iterator[tuple[int, str]]:
        """Read the files of the log; one that is cleaned up meanwhile is passed over."""
        for file in sorted((Path(table) / "_delta_log").glob("*.json")):
            try:
                yield int(file.stem), file.read_text(encoding="utf-8")
            except FileNotFoundError:
                continue


@dataclass(frozen=True)
class S3Store:
    """A lake on S3, read with the operator's credentials."""

    aws: Aws

    def options(self) -> Mapping[str, str]:
        """Hand Delta's reader the session's credentials, region and endpoint."""
        return self.aws.storage_options()

    def tables_below(self, root: str) -> set[str]:
        """Name the prefixes that have a Delta log."""
        bucket, prefix = _split(root)
        listed = self.aws.pages(
            "s3",
            "list_objects_v2",
            "CommonPrefixes",
            Bucket=bucket,
            Prefix=prefix,
            Delimiter="/",
        )
        names = [each["Prefix"].removeprefix(prefix).rstrip("/") for each in listed]
        return {name for name in names if self.has_commits(f"{root.rstrip('/')}/{name}")}

    def has_commits(self, table: str) -> bool:
        """Look for the first object of the log."""
        bucket, prefix = _split(f"{table}/_delta_log")
        answer = self.aws.call("s3", "list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=1)
        return bool(answer.get("Contents"))

    def commits(self, table: str) -> Iterator[tuple[int, str]]:
        """Read the objects of the log; one that is cleaned up meanwhile is passed over."""
        from cdcctl.aws import s3

        bucket, prefix = _split(f"{table}/_delta_log")
        listed = self.aws.pages(
            "s3", "list_objects_v2", "Contents", Bucket=bucket, Prefix=prefix, Delimiter="/"
        )
        for key in sorted(each["Key"] for each in listed if each["Key"].endswith(".json")):
            body = s3.read(self.aws, bucket, key)
            if body is not None:
                yield int(key.rpartition("/")[2].removesuffix(".json")), body.decode("utf-8")


def _split(address: str) -> tuple[str, str]:
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    return bucket, f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""
