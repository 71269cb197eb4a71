"""The printed IAM policies against what AWS publishes.

cfn-lint carries both sources: the service authorization reference (which actions there are, and
which resources each takes) and the registry's schemas (what CloudFormation calls for each type).
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import botocore.session
import cfnlint  # type: ignore[import-untyped]  # it has no stubs
import pytest
import yaml
from botocore import xform_name

from cdcctl.aws.errors import iam_action
from cdcctl.compile.names import MAX_STACK_NAME, StackNames
from cdcctl.operations.doctor.policies import (
    ACTIONS,
    DEPLOY,
    MAX_POLICY_CHARACTERS,
    OPERATE,
    READ,
    Role,
    length,
    policy,
    policy_parts,
)

_DATA = Path(cfnlint.__file__).parent / "data"
_NAMES = StackNames("demo", "123456789012")
_REFERENCE: dict[str, Any] = json.loads(
    (_DATA / "AdditionalSpecs" / "Policies.json").read_text(encoding="utf-8")
)
_BY_GENERATED_ID = ("ec2", "kms")
"""Services whose resources have ids that AWS makes up: their actions are narrowed to the region."""
_OF_THE_REGION = frozenset(
    (
        "cloudwatch:GetMetricData",
        "rds:DescribeDBInstances",
        "servicequotas:GetServiceQuota",
    )
)
"""What looks at more than the stack's own, be it for a quota."""
_UNUSED = {
    "AWS::DMS::Endpoint": {"RedshiftSettings": "redshift:*"},
    "AWS::EC2::Subnet": {"Ipv6CidrBlock": "ec2:*SubnetCidrBlock"},
    "AWS::EC2::VPC": {
        "InstanceTenancy": "ec2:ModifyVpcTenancy",
        "VpcEncryptionControl": "ec2:CreateVpcEncryptionControl",
    },
    "AWS::EC2::VPCEndpoint": {
        "ServiceNetworkArn": "vpc-lattice:*",
        "ServiceRegion": "vpce:AllowMultiRegion",
    },
    "AWS::IAM::Role": {"PermissionsBoundary": "iam:*RolePermissionsBoundary"},
    "AWS::Lambda::Function": {
        "FileSystemConfigs": "elasticfilesystem:* s3files:*",
        "CodeSigningConfigArn": "lambda:*CodeSigningConfig",
        "ReservedConcurrentExecutions": "lambda:*FunctionConcurrency",
        "RecursiveLoop": "lambda:PutFunctionRecursionConfig",
        "RuntimeManagementConfig": "lambda:PutRuntimeManagementConfig",
        "CapacityProviderConfig": "lambda:PassCapacityProvider lambda:PutFunctionScalingConfig",
        "PublishToLatestPublished": "lambda:PublishVersion",
    },
    "AWS::Logs::LogGroup": {
        "DataProtectionPolicy": "logs:PutDataProtectionPolicy",
        "FieldIndexPolicies": "logs:PutIndexPolicy logs:DeleteIndexPolicy",
        "ResourcePolicyDocument": "logs:DeleteResourcePolicy",
        "BearerTokenAuthenticationEnabled": "logs:PutBearerTokenAuthentication",
        "DeletionProtectionEnabled": "logs:PutLogGroupDeletionProtection",
        "LogGroupClass": "firehose:*",
    },
    "AWS::MSK::Cluster": {"CertificateAuthorityArnList": "acm-pca:*", "Firehose": "firehose:*"},
    "AWS::RDS::DBInstance": {
        "AssociatedRoles": "rds:*RoleToDBInstance rds:*RoleFromDBInstance",
        "SourceDBInstanceIdentifier": "rds:*ReadReplica rds:RestoreDBInstanceToPointInTime",
        "DBSnapshotIdentifier": "rds:RestoreDBInstanceFromDBSnapshot",
        "AutomaticBackupReplicationRegion": "rds:*AutomatedBackupsReplication",
    },
    "AWS::S3::Bucket": {
        "MetadataTableConfiguration": "s3:*BucketMetadataTableConfiguration s3tables:*",
        "MetadataConfiguration": "s3:UpdateBucketMetadata*",
        "WebsiteConfiguration": "s3:*BucketWebsite",
        "AccelerateConfiguration": "s3:PutAccelerateConfiguration",
        "AnalyticsConfigurations": "s3:PutAnalyticsConfiguration",
        "AbacStatus": "s3:PutBucketAbac",
        "AccessControl": "s3:PutBucketAcl s3:PutObjectAcl",
        "CorsConfiguration": "s3:PutBucketCORS",
        "NotificationConfiguration": "s3:PutBucketNotification",
        "ObjectLockConfiguration": "s3:PutBucketObjectLockConfiguration",
        "IntelligentTieringConfigurations": "s3:PutIntelligentTieringConfiguration",
        "InventoryConfigurations": "s3:PutInventoryConfiguration",
        "MetricsConfigurations": "s3:PutMetricsConfiguration",
        "ReplicationConfiguration": "s3:PutReplicationConfiguration",
    },
    "AWS::SNS::Topic": {"DataProtectionPolicy": "sns:PutDataProtectionPolicy"},
    "AWS::SecretsManager::Secret": {
        "ReplicaRegions": "secretsmanager:ReplicateSecretToRegions"
        " secretsmanager:RemoveRegionsFromReplication"
    },
}
"""By type and property: what CloudFormation calls only where a template has the property."""
_WITHOUT_SCHEMA = {
    "AWS::DMS::ReplicationInstance": {
        f"dms:{verb}ReplicationInstance{end}"
        for verb, end in (("Create", ""), ("Delete", ""), ("Modify", ""), ("Describe", "s"))
    }
    | {"dms:AddTagsToResource", "dms:ListTagsForResource", "dms:RemoveTagsFromResource"}
}
"""Types whose schema does not say what CloudFormation calls."""


class _Loader(yaml.SafeLoader):
    """Reads a template; what a function would give does not matter."""


def _any(loader: Any, _: str, node: yaml.Node) -> Any:
    match node:
        case yaml.ScalarNode():
            return str(node.value)
        case yaml.SequenceNode():
            return loader.construct_sequence(node, deep=True)
        case _:
            return loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("!", _any)


def _properties() -> dict[str, set[str]]:
    """Give each type that a template has, with every property name in it."""
    found: dict[str, set[str]] = {}
    for file in Path("templates").glob("*.yaml"):
        template = yaml.load(file.read_text(encoding="utf-8"), _Loader)
        for resource in template["Resources"].values():
            if resource["Type"].startswith("AWS::"):
                names = found.setdefault(resource["Type"], set())
                names.update(_keys(resource.get("Properties", {})))
    return found


def _keys(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for key, each in value.items():
                yield key
                yield from _keys(each)
        case list():
            for each in value:
                yield from _keys(each)


_TYPES = _properties()


@pytest.fixture(scope="module")
def schemas() -> dict[str, dict[str, Any]]:
    files = (_DATA / "schemas" / "resources").glob("*.json")
    texts = (file.read_text(encoding="utf-8") for file in files)
    wanted = re.compile(rf'"typeName": ?"({"|".join(_TYPES)})"')
    found = (json.loads(text) for text in texts if wanted.search(text))
    return {each["typeName"]: each for each in found if each["typeName"] in _TYPES}


def _exists(action: str) -> bool:
    service, _, name = action.partition(":")
    return name.lower() in _REFERENCE.get(service, {}).get("Actions", {})


@pytest.mark.parametrize("resource_type", sorted(_TYPES))
def test_the_deployer_may_do_what_cloudformation_does_in_his_name(
    resource_type: str, schemas: dict[str, dict[str, Any]]
) -> None:
    schema = schemas[resource_type]
    handlers = schema.get("handlers", {})
    called = {
        action
        for name, handler in handlers.items()
        if name != "list"
        for action in handler["permissions"]
        if _exists(action)
    } or _WITHOUT_SCHEMA[resource_type]
    unused = _UNUSED.get(resource_type, {})
    assert not unused.keys() & _TYPES[resource_type], "the template has it: the policy must too"
    assert not [name for name in unused if f'"{name}"' not in json.dumps(schema)]
    spared = [pattern for patterns in unused.values() for pattern in patterns.split()]
    missing = called - ACTIONS[Role.deployer]
    assert {a for a in missing if not any(fnmatchcase(a, pattern) for pattern in spared)} == set()


@pytest.mark.parametrize("role", list(Role))
def test_every_action_exists_and_takes_the_resources_it_is_narrowed_to(role: Role) -> None:
    for statement in policy(role, _NAMES, "eu-central-1")["Statement"]:
        for action in statement["Action"]:
            assert _exists(action), action
            service, _, name = action.partition(":")
            kinds = _REFERENCE[service]["Actions"][name.lower()].get("Resources", [])
            formats = [
                re.sub(r"\$\{[^}]*\}|\.\*", "*", each)
                for kind in kinds
                for each in _REFERENCE[service]["Resources"][kind.lower()]["ARNFormats"]
            ]
            if statement["Resource"] == "*":
                is_wide = service in _BY_GENERATED_ID or action in _OF_THE_REGION
                assert not kinds or is_wide or name.startswith("Describe"), action
                assert "aws:RequestedRegion" in json.dumps(statement["Condition"])
            else:
                assert any(
                    fnmatchcase(arn.replace("*", "x"), each)
                    for arn in statement["Resource"]
                    for each in formats
                ), action


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("region", ["ap-southeast-1", "cn-northwest-1", "us-gov-west-1"])
def test_every_part_of_a_policy_is_one_that_iam_takes(role: Role, region: str) -> None:
    names = StackNames("s" * MAX_STACK_NAME, "123456789012")
    parts = policy_parts(role, names, region)
    assert [length(part) for part in parts if length(part) > MAX_POLICY_CHARACTERS] == []
    # IAM attaches ten managed policies to a role, unless it is asked for more.
    assert len(parts) <= 10
    whole = policy(role, names, region)["Statement"]
    assert [each for part in parts for each in part["Statement"]] == whole
    arns = [arn for each in whole if each["Resource"] != "*" for arn in each["Resource"]]
    partition = {"cn": "aws-cn", "us": "aws-us-gov"}.get(region[:2], "aws")
    assert {arn.split(":")[1] for arn in arns} == {partition}


def test_each_role_may_do_what_the_one_below_it_may() -> None:
    assert ACTIONS[Role.auditor] < ACTIONS[Role.operator] < ACTIONS[Role.deployer]
    verbs = ("Decrypt", "Describe", "Filter", "Get", "List", "Simulate")
    assert [a for a in ACTIONS[Role.auditor] if not a.partition(":")[2].startswith(verbs)] == []


_FOR_OTHERS = frozenset(
    (
        # Athena reads the lake and writes the result with the rights of whoever asks.
        "glue:GetDatabase",
        "glue:GetPartitions",
        "glue:GetTable",
        "kms:Decrypt",
        "s3:AbortMultipartUpload",
        "s3:GetBucketLocation",
        "s3:ListMultipartUploadParts",
        # Deleting many objects deletes their versions.
        "s3:DeleteObject",
        # CloudFormation asks for these beside the change set that has tags.
        "cloudformation:TagResource",
        "cloudformation:UntagResource",
    )
)
"""Actions that no call of the tool has for itself."""


def _called() -> set[str]:
    """Give the IAM action of every call in the tool's source."""
    session = botocore.session.get_session()
    found = set()
    for file in Path("cdcctl").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="call" | "pages"),
                    args=[ast.Constant(str(service)), ast.Constant(str(operation)), *_],
                ):
                    names = session.get_service_model(service).operation_names
                    (name,) = (each for each in names if xform_name(each) == operation)
                    found.add(iam_action(service, name))
    return found


def test_the_tools_own_grants_are_what_it_calls() -> None:
    own = {action for grant in (*READ, *OPERATE, *DEPLOY) for action in grant.actions.split()}
    called = _called()
    assert called - ACTIONS[Role.deployer] == set()
    assert own - called - _FOR_OTHERS == set()


def test_nobody_but_the_deployer_reaches_roles_passwords_or_another_stack() -> None:
    assert not [a for a in ACTIONS[Role.operator] if a.startswith(("iam:Put", "iam:Pass", "kms:C"))]
    assert "secretsmanager:GetSecretValue" not in ACTIONS[Role.operator]
    text = json.dumps(policy(Role.deployer, _NAMES, "eu-central-1"))
    assert "*:*" not in text
    assert re.findall(r'"[a-z0-9-]+:[A-Za-z]*\*"', text) == []
