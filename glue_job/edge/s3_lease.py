"""One writer for a lake on S3: an object that is written only if nobody else has written it.

S3 takes a write with `If-None-Match: *` only where there is no object, and one with `If-Match` only
over the version that is named (S3 User Guide, "Conditional writes"): of two takers one is refused.
Ages are told by the clock of S3 itself: its `Date` against the object's `LastModified`.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self

from glue_job.errors import JobError

log = logging.getLogger("glue_job.lease")

TTL_SECONDS = 120.0
_REFUSED = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_GONE = {"NoSuchKey", "404"}
_TRIES = 5


@dataclass(frozen=True)
class _Held:
    owner: str
    since: str
    etag: str
    age_seconds: float


class S3Lease:
    """Holds a lake on S3 for one run, renewed in the background, from entering to leaving."""

    def __init__(
        self,
        client: Any,
        bucket: str,
        key: str,
        owner: str,
        *,
        has_ended: Callable[[str], bool],
        ttl_seconds: float = TTL_SECONDS,
    ) -> None:
        """Name the object and this run; `has_ended` asks whether another run is over."""
        self._client = client
        self._place = {"Bucket": bucket, "Key": key}
        self._owner = owner
        self._has_ended = has_ended
        self._ttl = ttl_seconds
        self._since = datetime.now(UTC).isoformat(timespec="seconds")
        self._etag = ""
        self._renewed_at = 0.0
        self._is_lost = False
        self._done = threading.Event()
        self._renewer = threading.Thread(target=self._keep, name="lease", daemon=True)

    def __enter__(self) -> Self:
        """Take the lake; JobError LAK040 names the run that has it."""
        for _ in range(_TRIES):
            held = self._read()
            if held is not None and not self._is_free(held):
                raise JobError(
                    code="LAK040",
                    what=f"another run writes the lake: {held.owner}",
                    why=f"it has s3://{self._place['Bucket']}/{self._place['Key']} since "
                    f"{held.since}, renewed {held.age_seconds:.0f} s ago",
                    fix="wait until it has ended, or stop it: cdcctl stop glue",
                )
            if self._write(None if held is None else held.etag):
                self._renewer.start()
                return self
        raise JobError(
            code="LAK040",
            what="other runs take the lake at the same time",
            fix="let one of them run: the job needs MaxConcurrentRuns=1",
        )

    def __exit__(self, *_: object) -> None:
        """Give the lake back, if it is still this run's."""
        self._done.set()
        self._renewer.join(self._ttl)
        held = self._read()
        if held is not None and held.owner == self._owner:
            self._client.delete_object(**self._place)

    def check(self) -> None:
        """Raise LAK042 when this run may not write any more; asked before each commit."""
        if self._is_lost or time.monotonic() - self._renewed_at > self._ttl / 2:
            raise JobError(
                code="LAK042",
                what=f"the run {self._owner} has lost the lake",
                why="it could not renew its lease in time; another run may have taken over",
                fix="nothing to do: the run ends, and the batch is finished by the next",
            )

    def _is_free(self, held: _Held) -> bool:
        return (
            held.owner == self._owner or held.age_seconds > self._ttl or self._has_ended(held.owner)
        )

    def _keep(self) -> None:
        while not self._done.wait(self._ttl / 6):
            try:
                if not self._write(self._etag):
                    log.error("the lease was taken by another run")
                    self._is_lost = True
                    return
            except Exception as error:  # noqa: BLE001 - tried again; `check` stops what is too old
                log.warning("the lease was not renewed: %s", error)

    def _write(self, over: str | None) -> bool:
        from botocore.exceptions import ClientError

        condition = {"IfNoneMatch": "*"} if over is None else {"IfMatch": over}
        body = json.dumps({"owner": self._owner, "since": self._since})
        asked_at = time.monotonic()
        try:
            answer = self._client.put_object(**self._place, Body=body.encode(), **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] in _REFUSED | _GONE:
                return False
            raise
        self._etag, self._renewed_at = answer["ETag"], asked_at
        return True

    def _read(self) -> _Held | None:
        from botocore.exceptions import ClientError

        try:
            answer = self._client.get_object(**self._place)
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return None
            raise
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        try:
            content = json.loads(answer["Body"].read())
            owner, since = str(content["owner"]), str(content["since"])
        except (ValueError, KeyError, TypeError):
            owner, since = "unknown", "unknown"
        age = (now - answer["LastModified"]).total_seconds()
        return _Held(owner, since, answer["ETag"], age)
