"""Two runs on one lake on S3: the second is refused, a dead one's lease is taken over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config

from glue_job.edge.s3_lease import S3Lease
from glue_job.errors import JobError
from tests.unit.s3_server import SmallS3, small_s3


@pytest.fixture
def s3() -> Iterator[SmallS3]:
    with small_s3() as held:
        yield held


def lease(s3: SmallS3, owner: str, ttl: float = 120.0, ended: tuple[str, ...] = ()) -> S3Lease:
    client: Any = boto3.client(
        "s3",
        endpoint_url=s3.url,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )
    return S3Lease(
        client, "lake", "_lease.json", owner, has_ended=ended.__contains__, ttl_seconds=ttl
    )


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert true()


def test_the_second_run_names_the_first(s3: SmallS3) -> None:
    with lease(s3, "jr_1") as first:
        first.check()
        with pytest.raises(JobError, match="another run writes the lake: jr_1") as refused:
            lease(s3, "jr_2").__enter__()
        assert refused.value.code == "LAK040"
    with lease(s3, "jr_2"):
        pass
    assert s3.objects == {}


def test_a_run_that_has_ended_or_was_silent_too_long_is_taken_over(s3: SmallS3) -> None:
    dead = lease(s3, "jr_1")
    dead._write(None)
    with lease(s3, "jr_2", ended=("jr_1",)):
        pass
    silent = lease(s3, "jr_3")
    silent._write(None)
    s3.ahead = timedelta(seconds=119)
    with pytest.raises(JobError, match="jr_3"):
        lease(s3, "jr_4").__enter__()
    s3.ahead = timedelta(seconds=121)
    with lease(s3, "jr_4"):
        pass


def test_of_two_that_take_over_at_once_one_is_refused(s3: SmallS3) -> None:
    lease(s3, "jr_0")._write(None)
    one, two = lease(s3, "jr_1"), lease(s3, "jr_2")
    seen = one._read()
    assert seen is not None
    assert two._write(seen.etag)
    assert not one._write(seen.etag)


def test_a_lease_is_renewed_and_one_that_was_taken_is_lost(s3: SmallS3) -> None:
    with lease(s3, "jr_1", ttl=1.2) as first:
        until(lambda: s3.writes >= 4)
        first.check()
        other = lease(s3, "jr_2", ended=("jr_1",))
        with other:
            with pytest.raises(JobError) as lost:
                until(lambda: first.check() is not None)
            assert lost.value.code == "LAK042"
            other.check()
    assert s3.objects == {}


def test_a_run_that_cannot_renew_stops_before_its_lease_can_be_taken(s3: SmallS3) -> None:
    with lease(s3, "jr_1", ttl=1.2) as first:
        s3.is_down = True
        with pytest.raises(JobError, match="has lost the lake"):
            until(lambda: first.check() is not None)
        s3.is_down = False


def test_a_lease_that_cannot_be_read_is_waited_for(s3: SmallS3) -> None:
    held = lease(s3, "jr_1")
    held._write(None)
    for stored in s3.objects.values():
        stored.body = b"{"
    with pytest.raises(JobError, match="unknown"):
        lease(s3, "jr_2").__enter__()
