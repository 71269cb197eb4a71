"""Removes the packages of long ago from the assets bucket; one that may be run stays."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from cdcctl.aws import glue, s3
from cdcctl.operations.package import CODE, MANIFEST
from cdcctl.operations.target import Target

KEPT = 10
"""So many of the newest stay, to go back to."""


def prune_code(target: Target, current: str) -> int:
    """Remove what is older than the newest, and count it.

    The bucket keeps what is deleted as old versions for a week.
    """
    bucket = target.names.assets_bucket
    packages: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in target.aws.pages("s3", "list_objects_v2", "Contents", Bucket=bucket, Prefix=CODE):
        packages[each["Key"].removeprefix(CODE).partition("/")[0]].append(each)
    newest_first = sorted(packages, key=lambda sha: _uploaded_at(packages[sha]), reverse=True)
    used = {current, *_of_live_runs(target)} if newest_first[KEPT:] else set()
    old = [sha for sha in newest_first[KEPT:] if sha not in used]
    for sha in old:
        # Without its manifest a package that is there in part only is uploaded again.
        keys = sorted((each["Key"] for each in packages[sha]), key=lambda key: MANIFEST not in key)
        for part in (keys[:1], keys[1:]):
            if part:
                s3.delete(target.aws, bucket, [{"Key": key} for key in part])
    return len(old)


def _uploaded_at(objects: list[dict[str, Any]]) -> datetime:
    newest: datetime = max(each["LastModified"] for each in objects)
    return newest


def _of_live_runs(target: Target) -> set[str]:
    """Name the packages that a run of the job works with."""
    place = f"s3://{target.names.assets_bucket}/{CODE}"
    return {
        value.removeprefix(place).partition("/")[0]
        for run in glue.runs(target.aws, target.names.glue_job)
        if run.is_live
        for value in run.arguments.values()
        if value.startswith(place)
    }
