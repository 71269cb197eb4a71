"""Checks of the AWS account: who one is, what one may, what is still offered, what is left over."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from cdcctl.aws.cloudformation import find_stack
from cdcctl.aws.errors import AwsError
from cdcctl.operations.doctor.check import Check, Probe, Verdict
from cdcctl.operations.doctor.policies import ACTIONS, Role
from cdcctl.operations.target import Target

_AREA = "account"
KAFKA_VERSION = "3.8.x"
DMS_VERSION = "3.6.1"
POSTGRES_MAJOR = "17"
_SIMULATED_AT_ONCE = 100
_MAX_SKEW_SECONDS = 240
"""AWS refuses a signature that is five minutes off."""


def probes(target: Target) -> tuple[Probe, ...]:
    """Give the checks of the account and region."""
    return (
        Probe(_AREA, "identity", lambda: _identity(target)),
        Probe(_AREA, "permissions", lambda: _permissions(target)),
        Probe(_AREA, "clock", lambda: _clock(target)),
        Probe(_AREA, "dms-vpc-role", lambda: _dms_role(target)),
        Probe(_AREA, "kafka version", lambda: _kafka_version(target)),
        Probe(_AREA, "dms version", lambda: _dms_version(target)),
        Probe(_AREA, "postgres version", lambda: _postgres_version(target)),
        Probe(_AREA, "vpc quota", lambda: _vpc_quota(target)),
        Probe(_AREA, "leftovers", lambda: _leftovers(target)),
    )


def _identity(target: Target) -> Check:
    answer = target.aws.call("sts", "get_caller_identity")
    return Check(
        _AREA,
        "identity",
        "pass",
        f"{answer['Arn']}, account {answer['Account']}, {target.aws.region}",
    )


def _permissions(target: Target) -> Check:
    arn = str(target.aws.call("sts", "get_caller_identity")["Arn"])
    if arn.endswith(":root"):
        return Check(
            _AREA,
            "permissions",
            "warn",
            "these are the root user's keys, which may do everything",
            "work as a role with the policy of: cdcctl doctor --policy deployer",
        )
    actions = sorted(ACTIONS[Role.deployer])
    denied: list[str] = []
    for start in range(0, len(actions), _SIMULATED_AT_ONCE):
        results = target.aws.pages(
            "iam",
            "simulate_principal_policy",
            "EvaluationResults",
            PolicySourceArn=_principal(arn),
            ActionNames=actions[start : start + _SIMULATED_AT_ONCE],
        )
        denied += [r["EvalActionName"] for r in results if r["EvalDecision"] != "allowed"]
    if not denied:
        return Check(_AREA, "permissions", "pass", f"all {len(actions)} actions of a deployment")
    listed = ", ".join(denied[:6]) + (f" and {len(denied) - 6} more" if len(denied) > 6 else "")
    return Check(
        _AREA,
        "permissions",
        "warn",
        f"a simulation denies {listed}",
        "cdcctl doctor --policy deployer   prints the policy to attach",
    )


def _principal(arn: str) -> str:
    """Give the role behind a session: a policy is simulated for the role."""
    session = re.fullmatch(r"arn:(aws[a-z-]*):sts::(\d+):assumed-role/([^/]+)/.+", arn)
    return f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}" if session else arn


def _clock(target: Target) -> Check:
    from email.utils import parsedate_to_datetime

    answer = target.aws.call("sts", "get_caller_identity")
    said = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if said is None:
        return Check(_AREA, "clock", "unknown", "AWS did not tell the time")
    skew = (datetime.now(UTC) - parsedate_to_datetime(said)).total_seconds()
    seen = f"{abs(skew):.0f} s off AWS's clock"
    if abs(skew) < _MAX_SKEW_SECONDS:
        return Check(_AREA, "clock", "pass", seen)
    return Check(_AREA, "clock", "fail", seen, "set this machine's clock: signatures expire")


def _dms_role(target: Target) -> Check:
    try:
        policies = list(
            target.aws.pages(
                "iam", "list_attached_role_policies", "AttachedPolicies", RoleName="dms-vpc-role"
            )
        )
    except AwsError as error:
        if error.aws_code != "NoSuchEntity":
            raise
        return Check(
            _AREA, "dms-vpc-role", "warn", "the account has none yet", "cdcctl deploy makes it"
        )
    if any(p["PolicyName"] == "AmazonDMSVPCManagementRole" for p in policies):
        return Check(_AREA, "dms-vpc-role", "pass", "there, with AmazonDMSVPCManagementRole")
    return Check(
        _AREA,
        "dms-vpc-role",
        "fail",
        "it lacks the policy AmazonDMSVPCManagementRole",
        "aws iam attach-role-policy --role-name dms-vpc-role --policy-arn"
        " arn:aws:iam::aws:policy/service-role/AmazonDMSVPCManagementRole",
    )


def _kafka_version(target: Target) -> Check:
    versions = {
        v["Version"]: v["Status"]
        for v in target.aws.pages("kafka", "list_kafka_versions", "KafkaVersions")
    }
    return _offered(
        "kafka version", KAFKA_VERSION, versions.get(KAFKA_VERSION) == "ACTIVE", versions
    )


def _dms_version(target: Target) -> Check:
    offered = {
        each["EngineVersion"]
        for each in target.aws.pages(
            "dms",
            "describe_orderable_replication_instances",
            "OrderableReplicationInstances",
        )
    }
    return _offered("dms version", DMS_VERSION, DMS_VERSION in offered, offered)


def _postgres_version(target: Target) -> Check:
    offered = {
        each["EngineVersion"]
        for each in target.aws.pages(
            "rds", "describe_db_engine_versions", "DBEngineVersions", Engine="postgres"
        )
    }
    is_there = any(version.partition(".")[0] == POSTGRES_MAJOR for version in offered)
    return _offered("postgres version", POSTGRES_MAJOR, is_there, offered)


def _offered(name: str, wanted: str, is_there: bool, offered: Iterable[str]) -> Check:
    if is_there:
        return Check(_AREA, name, "pass", f"{wanted} is offered")
    listed = ", ".join(sorted(offered)) or "nothing"
    return Check(
        _AREA,
        name,
        "fail",
        f"{wanted} is not offered here; offered: {listed}",
        "upgrade cdcctl, or choose another region",
    )


def _vpc_quota(target: Target) -> Check:
    used = sum(1 for _ in target.aws.pages("ec2", "describe_vpcs", "Vpcs"))
    answer = target.aws.call(
        "service-quotas", "get_service_quota", ServiceCode="vpc", QuotaCode="L-F678F1CE"
    )
    allowed = int(answer["Quota"]["Value"])
    verdict: Verdict = "pass" if used < allowed else "fail"
    fix = "" if used < allowed else "delete an unused VPC, or ask Service Quotas for more"
    return Check(_AREA, "vpc quota", verdict, f"{used} of {allowed} VPCs are used", fix)


def _leftovers(target: Target) -> Check:
    """Look for what an earlier stack of this name left and a new one would collide with."""
    if find_stack(target.aws, target.stack) is not None:
        return Check(_AREA, "leftovers", "pass", "the stack is there; its parts are its own")
    found = list(_remains(target))
    if not found:
        return Check(_AREA, "leftovers", "pass", "nothing bears the names of this stack")
    return Check(
        _AREA,
        "leftovers",
        "fail",
        f"left by an earlier stack: {', '.join(found)}",
        f"cdcctl teardown --stack {target.stack}   removes what is left, or rename the stack",
    )


def _remains(target: Target) -> Iterable[str]:
    names = target.names
    wanted = {names.delta_bucket, names.quarantine_bucket, names.access_logs_bucket}
    buckets = target.aws.call("s3", "list_buckets")["Buckets"]
    yield from (f"bucket {each['Name']}" for each in buckets if each["Name"] in wanted)
    groups = target.aws.pages(
        "logs",
        "describe_log_groups",
        "logGroups",
        logGroupNamePrefix=f"/aws/lambda/{target.stack}-",
    )
    own = {f"/aws/lambda/{function}" for function in names.functions}
    yield from (f"log group {g['logGroupName']}" for g in groups if g["logGroupName"] in own)
