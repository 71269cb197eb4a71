"""Checks of the AWS account: who one is, what one may, what is still offered, what is left over."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from cdcctl.aws.cloudformation import find_made, stack_outputs
from cdcctl.aws.errors import AwsError
from cdcctl.compile.names import MAX_BUCKET_NAME
from cdcctl.operations.doctor.check import NOT_SET, Check, Probe
from cdcctl.operations.doctor.policies import ACTIONS, Role
from cdcctl.operations.target import Target

if TYPE_CHECKING:
    from cdcctl.aws.session import Aws

_AREA = "account"
KAFKA_VERSION = "3.8.x"
DMS_VERSION = "3.6.1"
POSTGRES_MAJOR = "17"
GLUE_VERSION = "5.1"
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
        Probe(_AREA, "end dates", lambda: end_dates(datetime.now(UTC).date())),
        Probe(_AREA, "stack name", lambda: _stack_name(target)),
        Probe(_AREA, "alert topic", lambda: _alert_topic(target)),
        *(Probe(_AREA, f"{each.what} quota", partial(_quota, target, each)) for each in QUOTAS),
    )


def chosen(values: Mapping[str, str], target: Target) -> Iterator[Probe]:
    """Tell each value that decides where the tool works, with where it came from."""
    for name, said in values.items():
        yield Probe("config", name, partial(_chosen, name, said, target))


def _chosen(name: str, said: str, target: Target) -> Check:
    match name:
        case "region" if said == NOT_SET:
            said = f"{target.aws.region}, from AWS's own settings"
        case "expected_account" if said == NOT_SET:
            said = f"{NOT_SET}: any account is taken; cdcctl.toml may name one"
    return Check("config", name, "pass", said)


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
        return _trusting(target)
    return Check(
        _AREA,
        "dms-vpc-role",
        "fail",
        "it lacks the policy AmazonDMSVPCManagementRole",
        "aws iam attach-role-policy --role-name dms-vpc-role --policy-arn"
        " arn:aws:iam::aws:policy/service-role/AmazonDMSVPCManagementRole",
    )


def _trusting(target: Target) -> Check:
    """Look whether DMS may take the role: AWS lets it be made for anybody."""
    role = target.aws.call("iam", "get_role", RoleName="dms-vpc-role")["Role"]
    trusted = [each.get("Principal") for each in role["AssumeRolePolicyDocument"]["Statement"]]
    if any("dms.amazonaws.com" in str(principal) for principal in trusted):
        return Check(_AREA, "dms-vpc-role", "pass", "there, with AmazonDMSVPCManagementRole")
    return Check(
        _AREA,
        "dms-vpc-role",
        "fail",
        "dms.amazonaws.com may not assume it: DMS makes no network interface",
        "let the role's trust policy name dms.amazonaws.com",
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


@dataclass(frozen=True)
class Quota:
    """What an account may have of something, how much a stack takes, and who tells the use."""

    what: str
    service: str
    code: str
    taken: int
    used: Callable[[Aws], int] | None = None


def _vpcs(aws: Aws) -> int:
    return sum(1 for _ in aws.pages("ec2", "describe_vpcs", "Vpcs"))


def _databases(aws: Aws) -> int:
    return sum(1 for _ in aws.pages("rds", "describe_db_instances", "DBInstances"))


def _replication_instances(aws: Aws) -> int:
    listed = aws.pages("dms", "describe_replication_instances", "ReplicationInstances")
    return sum(1 for _ in listed)


def _brokers(aws: Aws) -> int:
    listed = aws.pages("kafka", "list_clusters_v2", "ClusterInfoList")
    return sum(each.get("Provisioned", {}).get("NumberOfBrokerNodes", 0) for each in listed)


QUOTAS = (
    Quota("VPCs", "vpc", "L-F678F1CE", 1, _vpcs),
    Quota("RDS instances", "rds", "L-7B6409FD", 1, _databases),
    Quota("DMS instances", "dms", "L-C2341CDC", 1, _replication_instances),
    Quota("MSK brokers", "kafka", "L-EDD31C36", 3, _brokers),
    Quota("Glue DPUs", "glue", "L-08F3B322", 2),
    Quota("Lambda executions", "lambda", "L-B99A9384", 4),
)
"""What the larger profile takes; of Glue and Lambda nobody tells what others use."""


def _quota(target: Target, quota: Quota) -> Check:
    name = f"{quota.what} quota"
    used = 0 if quota.used is None else quota.used(target.aws)
    answer = target.aws.call(
        "service-quotas", "get_service_quota", ServiceCode=quota.service, QuotaCode=quota.code
    )
    allowed = int(answer["Quota"]["Value"])
    seen = f"{used} of {allowed} are used" if quota.used else f"{allowed} are allowed"
    if used + quota.taken <= allowed or find_made(target.aws, target.stack) is not None:
        return Check(_AREA, name, "pass", seen)
    return Check(
        _AREA,
        name,
        "fail",
        f"{seen}, expected room for {quota.taken}",
        f"aws service-quotas request-service-quota-increase --service-code {quota.service}"
        f" --quota-code {quota.code} --desired-value {used + quota.taken}, or delete an unused one",
    )


END_DATES = {
    f"PostgreSQL {POSTGRES_MAJOR}": date(2030, 2, 28),
    "Lambda's python3.13": date(2029, 6, 30),
}
"""When AWS ends support, as it has published; no call of AWS tells runtimes and Glue versions."""
_WITHOUT_END = f"Glue {GLUE_VERSION}, Kafka {KAFKA_VERSION}, DMS {DMS_VERSION}"
_NOTICE = timedelta(days=180)


def end_dates(today: date) -> Check:
    """Tell what ends soon of the versions that the templates name."""
    near = [f"{name} on {end}" for name, end in END_DATES.items() if today + _NOTICE >= end]
    if near:
        return Check(
            _AREA, "end dates", "warn", f"support ends: {', '.join(near)}", "upgrade cdcctl"
        )
    listed = ", ".join(f"{name} {end}" for name, end in END_DATES.items())
    return Check(
        _AREA, "end dates", "pass", f"support until: {listed}; no end published: {_WITHOUT_END}"
    )


def _stack_name(target: Target) -> Check:
    longest = max(target.names.buckets, key=len)
    seen = f"the longest bucket, {longest}, has {len(longest)} of {MAX_BUCKET_NAME} characters"
    return Check(_AREA, "stack name", "pass", seen)


def _alert_topic(target: Target) -> Check:
    """Look whether anybody is told of alarms."""
    name = "alert topic"
    arn = stack_outputs(target.aws, target.stack).get("AlertTopicArn")
    if arn is None:
        return Check(_AREA, name, "pass", "there is no stack yet")
    held = target.aws.pages("sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=arn)
    listed = list(held)
    confirmed = [each for each in listed if each["SubscriptionArn"].startswith("arn:")]
    if confirmed:
        return Check(_AREA, name, "pass", f"{len(confirmed)} subscriptions are confirmed")
    waiting = [each["Endpoint"] for each in listed]
    return Check(
        _AREA,
        name,
        "warn",
        f"nobody is told of alarms: {', '.join(waiting)} has not confirmed"
        if waiting
        else "nobody is told of alarms: it has no subscription",
        "follow the link in the mail from AWS"
        if waiting
        else f"cdcctl deploy --stack {target.stack} --email ADDRESS",
    )
