"""Checks of what an earlier stack of this name left, and of names that others hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from cdcctl.aws.cloudformation import find_made
from cdcctl.aws.errors import AwsError
from cdcctl.operations.doctor.check import Check, Probe, Verdict
from cdcctl.operations.leftovers import (
    backups,
    held_secrets,
    interfaces,
    layers,
    log_groups,
)
from cdcctl.operations.target import Target

_AREA = "account"
_LEFT = "   removes what is left"
_ALL = " --retain none   removes all that was kept, the lake too"


@dataclass(frozen=True)
class _Kind:
    """Something that may be left, who looks for it, how bad it is, and what to do."""

    name: str
    remains: Callable[[Target], Iterable[object]]
    verdict: Verdict = "fail"
    why: str = "a new one collides with it"
    removal: str = f"{_LEFT}, or rename the stack"


def probes(target: Target) -> tuple[Probe, ...]:
    """Give the checks of names that are taken."""
    return (
        Probe(_AREA, "bucket names", lambda: _bucket_names(target)),
        *(Probe(_AREA, f"leftover {k.name}", partial(_leftovers, target, k)) for k in _KINDS),
    )


def _leftovers(target: Target, kind: _Kind) -> Check:
    """Look for one kind; while the stack is there they are its own."""
    name = f"leftover {kind.name}"
    if find_made(target.aws, target.stack) is not None:
        return Check(_AREA, name, "pass", "the stack is there; its parts are its own")
    found = [str(each) for each in kind.remains(target)]
    if not found:
        return Check(_AREA, name, "pass", "none bears a name of this stack")
    return Check(
        _AREA,
        name,
        kind.verdict,
        f"left by an earlier stack: {', '.join(found)}; {kind.why}",
        f"cdcctl teardown --stack {target.stack}{kind.removal}",
    )


def _left_buckets(target: Target) -> Iterator[str]:
    names = target.names
    wanted = {names.delta_bucket, names.quarantine_bucket, names.access_logs_bucket}
    yield from sorted(wanted & _own_buckets(target))


def _left_secrets(target: Target) -> Iterator[str]:
    yield from (each["Name"] for each in held_secrets(target))


_KINDS = (
    _Kind(
        "buckets",
        _left_buckets,
        removal=f"{_ALL}; or rename the stack",
    ),
    _Kind("log groups", log_groups),
    _Kind("secrets", _left_secrets),
    _Kind("backups", backups, "warn", "they bill on", _ALL),
    _Kind("layers", layers, "warn", "a new stack makes its own", _LEFT),
    _Kind("interfaces", interfaces, "warn", "they hold their subnet and group", _LEFT),
)


def _own_buckets(target: Target) -> set[str]:
    return {each["Name"] for each in target.aws.call("s3", "list_buckets")["Buckets"]}


def _bucket_names(target: Target) -> Check:
    """Look whether another account has a bucket of a name that the stack needs."""
    name = "bucket names"
    wanted = set(target.names.buckets) - _own_buckets(target)
    taken = sorted(bucket for bucket in wanted if _is_others(target, bucket))
    if not taken:
        return Check(_AREA, name, "pass", "all are free, or this account's own")
    return Check(
        _AREA,
        name,
        "fail",
        f"another account has {', '.join(taken)}",
        "choose another name with --stack",
    )


def _is_others(target: Target, bucket: str) -> bool:
    try:
        target.aws.call("s3", "head_bucket", Bucket=bucket)
    except AwsError as error:
        # S3 says 403 of a bucket of others, and 404 where there is none.
        return error.aws_code in {"403", "Forbidden", "AccessDenied"}
    return False
