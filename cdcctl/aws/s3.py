"""Objects and buckets."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from cdcctl.aws.errors import AwsError
from cdcctl.aws.session import Aws

DELETED_AT_ONCE = 1000
_ABSENT = frozenset(("NoSuchKey", "404", "NotFound", "NoSuchBucket"))


def exists(aws: Aws, bucket: str, key: str) -> bool:
    """Tell whether an object is there."""
    try:
        aws.call("s3", "head_object", Bucket=bucket, Key=key)
    except AwsError as error:
        if error.aws_code in _ABSENT:
            return False
        raise
    return True


def read(aws: Aws, bucket: str, key: str) -> bytes | None:
    """Give an object's content; None when it is not there."""
    try:
        content: bytes = aws.call("s3", "get_object", Bucket=bucket, Key=key)["Body"].read()
    except AwsError as error:
        if error.aws_code in _ABSENT:
            return None
        raise
    return content


def put_missing(aws: Aws, bucket: str, key: str, body: bytes) -> bool:
    """Upload what a content-addressed key stands for, unless it is there; tell whether it was sent.

    S3 checks the sha256 of what arrives.
    """
    if exists(aws, bucket, key):
        return False
    checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
    aws.call("s3", "put_object", Bucket=bucket, Key=key, Body=body, ChecksumSHA256=checksum)
    return True


def has_bucket(aws: Aws, bucket: str) -> bool:
    """Tell whether a bucket is there and is one's own."""
    try:
        aws.call("s3", "head_bucket", Bucket=bucket)
    except AwsError as error:
        if error.aws_code in _ABSENT:
            return False
        raise
    return True


def versions(aws: Aws, bucket: str) -> Iterator[dict[str, Any]]:
    """Give every version and delete marker of a bucket."""
    for listed in ("Versions", "DeleteMarkers"):
        yield from aws.pages("s3", "list_object_versions", listed, Bucket=bucket)


def stop_logging(aws: Aws, bucket: str) -> None:
    """Have S3 write no more access logs of a bucket."""
    aws.call("s3", "put_bucket_logging", Bucket=bucket, BucketLoggingStatus={})


def empty_bucket(aws: Aws, bucket: str, seen: Callable[[int], None] = lambda _: None) -> int:
    """Delete every version, delete marker and unfinished upload; give how many went.

    What is written meanwhile is deleted too: the listing is asked until it is empty.
    """
    gone = 0
    while True:
        found = [
            {"Key": each["Key"], "VersionId": each["VersionId"]} for each in versions(aws, bucket)
        ]
        for start in range(0, len(found), DELETED_AT_ONCE):
            part = found[start : start + DELETED_AT_ONCE]
            delete(aws, bucket, part)
            gone += len(part)
            seen(gone)
        if not found:
            break
    for upload in list(aws.pages("s3", "list_multipart_uploads", "Uploads", Bucket=bucket)):
        aws.call(
            "s3",
            "abort_multipart_upload",
            Bucket=bucket,
            Key=upload["Key"],
            UploadId=upload["UploadId"],
        )
    return gone


def delete(aws: Aws, bucket: str, objects: list[dict[str, str]]) -> None:
    """Delete up to a thousand objects, or versions of them; raise when one of them stays."""
    answer = aws.call(
        "s3", "delete_objects", Bucket=bucket, Delete={"Objects": objects, "Quiet": True}
    )
    _refuse_failed(bucket, answer.get("Errors") or [])


def _refuse_failed(bucket: str, errors: list[dict[str, Any]]) -> None:
    if errors:
        first = errors[0]
        raise AwsError(
            "AWS008",
            f"{len(errors)} objects of {bucket} cannot be deleted",
            why=f"{first.get('Key')}: {first.get('Message', first.get('Code'))}",
            fix="look for an object lock or a bucket policy that denies s3:DeleteObjectVersion",
            aws_code=str(first.get("Code", "")),
            service="s3",
            operation="delete_objects",
        )
