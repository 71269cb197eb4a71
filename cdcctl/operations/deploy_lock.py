"""Keeps two deploys of a stack from mixing their steps: an object in its assets bucket."""

from __future__ import annotations

import getpass
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from cdcctl.aws.errors import AwsError
from cdcctl.errors import CdcctlError
from cdcctl.operations.target import Target

_KEY = "locks/deploy.json"
_LIFETIME = timedelta(hours=2)


@contextmanager
def locked(target: Target) -> Iterator[None]:
    """Hold the lock; one that has run out, or whose process of this machine is gone, is taken."""
    bucket = target.names.assets_bucket
    owner = f"{getpass.getuser()}@{socket.gethostname()}"
    expires = (datetime.now(UTC) + _LIFETIME).isoformat()
    body = json.dumps({"owner": owner, "process": os.getpid(), "expires": expires}).encode()
    try:
        target.aws.call("s3", "put_object", Bucket=bucket, Key=_KEY, Body=body, IfNoneMatch="*")
    except AwsError as error:
        if error.aws_code not in {"PreconditionFailed", "412", "ConditionalRequestConflict"}:
            raise
        _take_over(target, body, owner)
    try:
        yield
    finally:
        target.aws.call("s3", "delete_object", Bucket=bucket, Key=_KEY)


def _take_over(target: Target, body: bytes, owner: str) -> None:
    bucket = target.names.assets_bucket
    answer = target.aws.call("s3", "get_object", Bucket=bucket, Key=_KEY)
    held = json.loads(answer["Body"].read())
    # A deploy that has lost its credentials cannot give the lock back.
    is_left = held["owner"] == owner and not _lives(held.get("process"))
    if datetime.fromisoformat(held["expires"]) > datetime.now(UTC) and not is_left:
        raise CdcctlError(
            "CFN031",
            f"{held['owner']} deploys this stack",
            why=f"the lock s3://{bucket}/{_KEY} holds until {held['expires']}",
            fix=f"wait for it; if nobody does: aws s3 rm s3://{bucket}/{_KEY}",
        )
    target.aws.call("s3", "put_object", Bucket=bucket, Key=_KEY, Body=body, IfMatch=answer["ETag"])


def _lives(process: int | None) -> bool:
    """Tell whether another process of this machine lives; one that is not known does."""
    if process is None:
        return True
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
