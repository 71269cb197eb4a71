"""The least that each kind of operator must be allowed, as IAM policies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from cdcctl.compile.names import StackNames

MAX_POLICY_CHARACTERS = 6144
"""What IAM takes in one managed policy, white space left out (IAM quotas)."""


class Role(StrEnum):
    """Who works with a pipeline."""

    deployer = "deployer"
    operator = "operator"
    auditor = "auditor"


@dataclass(frozen=True)
class Grant:
    """Actions, and the resources they are narrowed to; without any, to the region alone.

    Resources are ARNs with the names of a stack in braces.
    """

    sid: str
    actions: str
    resources: tuple[str, ...] = ()
    condition: Mapping[str, Any] = field(default_factory=dict)


_BUCKETS = tuple(
    f"arn:{{partition}}:s3:::{{stack}}-{kind}-{{account}}"
    for kind in ("assets", "delta", "quarantine", "access-logs")
)
_OBJECTS = tuple(f"{bucket}/*" for bucket in _BUCKETS)
_STACKS = tuple(
    f"arn:{{partition}}:cloudformation:{{place}}:stack/{{stack}}{end}/*"
    for end in ("", "-bootstrap")
)
_CATALOG = (
    "arn:{partition}:glue:{place}:catalog",
    "arn:{partition}:glue:{place}:database/{database}",
    "arn:{partition}:glue:{place}:table/{database}/*",
)
_JOB = ("arn:{partition}:glue:{place}:job/{stack}-cdc",)
_FUNCTIONS = ("arn:{partition}:lambda:{place}:function:{stack}-*",)
_LOGS = tuple(
    f"arn:{{partition}}:logs:{{place}}:log-group:{name}"
    for name in ("/aws/lambda/{stack}-*", "/cdcctl/{stack}/*", "dms-tasks-{stack}-dms*")
)
_JOB_LOGS = ("arn:{partition}:logs:{place}:log-group:/aws-glue/*",)
_TOPIC = ("arn:{partition}:sns:{place}:{stack}-*",)
_DATABASE = ("arn:{partition}:rds:{place}:db:{stack}-*",)
_ROLES = ("arn:{partition}:iam::{account}:role/{stack}-*",)
_DMS_ROLE = "arn:{partition}:iam::{account}:role/dms-vpc-role"
_DMS = tuple(
    f"arn:{{partition}}:dms:{{place}}:{kind}:*"
    for kind in ("task", "endpoint", "rep", "subgrp", "cert")
)
"""DMS chooses the ids of its resources: they are narrowed to the account and region."""
_SECRETS = (
    "arn:{partition}:secretsmanager:{place}:secret:AmazonMSK_{stack}_*",
    "arn:{partition}:secretsmanager:{place}:secret:{stack}-*",
    "arn:{partition}:secretsmanager:{place}:secret:rds!*",
)

READ = (
    Grant(
        "ReadRegion",
        """
        cloudwatch:GetMetricData dms:DescribeConnections dms:DescribeEndpoints
        dms:DescribeOrderableReplicationInstances dms:DescribeReplicationInstances
        dms:DescribeReplicationTasks ec2:DescribeNetworkInterfaces ec2:DescribeRegions
        ec2:DescribeVpcEndpoints ec2:DescribeVpcs
        kafka:ListClustersV2 kafka:ListKafkaVersions lambda:ListLayers lambda:ListLayerVersions
        logs:DescribeLogGroups rds:DescribeDBEngineVersions
        rds:DescribeDBInstanceAutomatedBackups rds:DescribeDBInstances rds:DescribeDBSnapshots
        rds:DescribeOrderableDBInstanceOptions
        s3:ListAllMyBuckets secretsmanager:ListSecrets servicequotas:GetServiceQuota
        sts:GetCallerIdentity
        """,
    ),
    Grant(
        "ReadStack",
        """
        cloudformation:DescribeStackEvents cloudformation:DescribeStacks cloudformation:GetTemplate
        cloudformation:ListStackResources
        """,
        _STACKS,
    ),
    Grant("ReadStatistics", "dms:DescribeTableStatistics", _DMS[:1]),
    Grant("ReadJob", "glue:GetJob glue:GetJobRun glue:GetJobRuns", _JOB),
    Grant(
        "ReadCluster",
        "kafka:DescribeClusterV2",
        ("arn:{partition}:kafka:{place}:cluster/{stack}/*",),
    ),
    Grant("ReadLogs", "logs:FilterLogEvents", (*_LOGS, *_JOB_LOGS)),
    Grant("ReadTopic", "sns:ListSubscriptionsByTopic", _TOPIC),
    Grant("ReadLake", "s3:GetBucketLocation s3:GetObject s3:ListBucket", (*_BUCKETS, *_OBJECTS)),
    Grant(
        "ReadEncrypted",
        "kms:Decrypt",
        ("arn:{partition}:kms:{place}:key/*",),
        {"StringEquals": {"kms:ViaService": "s3.{region}.{domain}"}},
    ),
    Grant("ReadDmsRole", "iam:GetRole iam:ListAttachedRolePolicies", (_DMS_ROLE,)),
    Grant(
        "Simulate",
        "iam:SimulatePrincipalPolicy",
        ("arn:{partition}:iam::{account}:role/*", "arn:{partition}:iam::{account}:user/*"),
    ),
)
OPERATE = (
    Grant(
        "Query",
        """
        athena:GetQueryExecution athena:GetQueryResults athena:StartQueryExecution
        athena:StopQueryExecution
        """,
        ("arn:{partition}:athena:{place}:workgroup/primary",),
    ),
    Grant("QueryCatalog", "glue:GetDatabase glue:GetPartitions glue:GetTable", _CATALOG),
    Grant(
        "RunDms",
        "dms:ReloadTables dms:StartReplicationTask dms:StopReplicationTask dms:TestConnection",
        _DMS[:3],
    ),
    Grant("RunJob", "glue:BatchStopJobRun glue:StartJobRun", _JOB),
    Grant("RunFunctions", "lambda:InvokeFunction", _FUNCTIONS),
    Grant(
        "AskJob",
        "s3:AbortMultipartUpload s3:DeleteObject s3:ListMultipartUploadParts s3:PutObject",
        _OBJECTS[:1],
    ),
)
DEPLOY = (
    Grant(
        "DeployStack",
        """
        cloudformation:ContinueUpdateRollback
        cloudformation:CreateChangeSet cloudformation:DeleteChangeSet cloudformation:DeleteStack
        cloudformation:DescribeChangeSet cloudformation:ExecuteChangeSet cloudformation:TagResource
        cloudformation:UntagResource cloudformation:UpdateTerminationProtection
        """,
        _STACKS,
    ),
    Grant(
        "EmptyBuckets",
        """
        s3:AbortMultipartUpload s3:DeleteBucket s3:DeleteObject s3:DeleteObjectVersion
        s3:ListBucketMultipartUploads s3:ListBucketVersions s3:PutBucketLogging
        """,
        (*_BUCKETS, *_OBJECTS),
    ),
    Grant(
        "RemoveLeftovers",
        """
        lambda:DeleteLayerVersion logs:DeleteLogGroup rds:DeleteDBInstanceAutomatedBackup
        rds:DeleteDBSnapshot rds:ModifyDBInstance secretsmanager:DeleteSecret
        """,
        (
            "arn:{partition}:lambda:{place}:layer:{stack}-*",
            "arn:{partition}:logs:{place}:log-group:/aws/rds/instance/{stack}-*",
            *_LOGS,
            *_JOB_LOGS,
            *_DATABASE,
            "arn:{partition}:rds:{place}:auto-backup:*",
            "arn:{partition}:rds:{place}:snapshot:{stack}-*",
            *_SECRETS,
        ),
    ),
)
_STACK_ITSELF = (
    Grant(
        "MakeNetwork",
        """
        ec2:AssociateRouteTable ec2:AuthorizeSecurityGroupEgress ec2:AuthorizeSecurityGroupIngress
        ec2:CreateRouteTable ec2:CreateSecurityGroup ec2:CreateSubnet ec2:CreateTags ec2:CreateVpc
        ec2:CreateVpcEndpoint ec2:DeleteNetworkInterface ec2:DeleteRouteTable
        ec2:DeleteSecurityGroup ec2:DeleteSubnet ec2:DeleteTags ec2:DeleteVpc
        ec2:DeleteVpcEndpoints ec2:DescribeAccountAttributes ec2:DescribeAvailabilityZones
        ec2:DescribeInstances ec2:DescribeInternetGateways ec2:DescribeNetworkAcls
        ec2:DescribeNetworkInterfaces ec2:DescribeRouteTables ec2:DescribeSecurityGroupRules
        ec2:DescribeSecurityGroups ec2:DescribeSubnets ec2:DescribeVpcAttribute
        ec2:DescribeVpcEncryptionControls ec2:DescribeVpcEndpoints ec2:DisassociateRouteTable
        ec2:ModifySubnetAttribute ec2:ModifyVpcAttribute ec2:ModifyVpcEndpoint
        ec2:ReplaceRouteTableAssociation ec2:RevokeSecurityGroupEgress
        ec2:RevokeSecurityGroupIngress ec2:UpdateSecurityGroupRuleDescriptionsEgress
        ec2:UpdateSecurityGroupRuleDescriptionsIngress
        """,
    ),
    Grant(
        "MakeKeys",
        """
        kms:CreateAlias kms:CreateGrant kms:CreateKey kms:Decrypt kms:DeleteAlias kms:DescribeKey
        kms:DisableKey kms:DisableKeyRotation kms:EnableKey kms:EnableKeyRotation kms:Encrypt
        kms:GenerateDataKey kms:GenerateDataKeyPair kms:GenerateDataKeyPairWithoutPlaintext
        kms:GenerateDataKeyWithoutPlaintext kms:GetKeyPolicy kms:GetKeyRotationStatus
        kms:ListAliases kms:ListGrants kms:ListResourceTags kms:PutKeyPolicy kms:ReEncryptFrom
        kms:ReEncryptTo kms:ScheduleKeyDeletion kms:TagResource kms:UntagResource kms:UpdateAlias
        kms:UpdateKeyDescription
        """,
    ),
    Grant(
        "MakeRoles",
        """
        iam:AttachRolePolicy iam:CreateRole iam:DeleteRole iam:DeleteRolePolicy
        iam:DetachRolePolicy iam:GetRole iam:GetRolePolicy iam:ListAttachedRolePolicies
        iam:ListRolePolicies iam:PutRolePolicy iam:TagRole iam:UntagRole iam:UpdateAssumeRolePolicy
        iam:UpdateRole iam:UpdateRoleDescription
        """,
        (*_ROLES, _DMS_ROLE),
    ),
    Grant(
        "PassRoles",
        "iam:PassRole",
        _ROLES,
        {
            "StringEquals": {
                "iam:PassedToService": [
                    f"{service}.amazonaws.com"
                    for service in ("dms", "glue", "lambda", "monitoring.rds", "cloudformation")
                ]
            }
        },
    ),
    Grant(
        "ServiceRoles",
        "iam:CreateServiceLinkedRole",
        ("arn:{partition}:iam::{account}:role/aws-service-role/*",),
        {
            "StringEquals": {
                "iam:AWSServiceName": [
                    f"{service}.amazonaws.com" for service in ("kafka", "rds", "dms")
                ]
            }
        },
    ),
    Grant(
        "MakeBuckets",
        """
        s3:CreateBucket s3:DeleteBucketPolicy s3:GetAccelerateConfiguration
        s3:GetAnalyticsConfiguration s3:GetBucketAbac s3:GetBucketAcl s3:GetBucketCORS
        s3:GetBucketLogging s3:GetBucketMetadataTableConfiguration s3:GetBucketNotification
        s3:GetBucketObjectLockConfiguration s3:GetBucketOwnershipControls s3:GetBucketPolicy
        s3:GetBucketPublicAccessBlock s3:GetBucketTagging s3:GetBucketVersioning
        s3:GetBucketWebsite s3:GetEncryptionConfiguration s3:GetIntelligentTieringConfiguration
        s3:GetInventoryConfiguration s3:GetLifecycleConfiguration s3:GetMetricsConfiguration
        s3:GetReplicationConfiguration s3:ListTagsForResource s3:PutBucketLogging
        s3:PutBucketOwnershipControls s3:PutBucketPolicy s3:PutBucketPublicAccessBlock
        s3:PutBucketTagging s3:PutBucketVersioning s3:PutEncryptionConfiguration
        s3:PutLifecycleConfiguration s3:TagResource s3:UntagResource
        """,
        _BUCKETS,
    ),
    Grant("ReadCode", "s3:GetObjectVersion", _OBJECTS[:1]),
    Grant(
        "MakeDatabase",
        """
        rds:AddTagsToResource rds:CreateDBInstance rds:CreateDBParameterGroup rds:CreateDBSnapshot
        rds:CreateDBSubnetGroup rds:DeleteDBInstance rds:DeleteDBParameterGroup
        rds:DeleteDBSubnetGroup rds:ListTagsForResource rds:ModifyDBInstance
        rds:ModifyDBParameterGroup rds:ModifyDBSubnetGroup rds:RebootDBInstance
        rds:RemoveTagsFromResource rds:ResetDBParameterGroup
        """,
        (
            *_DATABASE,
            *(
                f"arn:{{partition}}:rds:{{place}}:{kind}:{{stack}}-*"
                for kind in ("pg", "subgrp", "snapshot")
            ),
        ),
    ),
    Grant(
        "ReadDatabase",
        """
        iam:ListRoles rds:DescribeDBClusters rds:DescribeDBClusterSnapshots
        rds:DescribeDBInstanceAutomatedBackups rds:DescribeDBParameterGroups
        rds:DescribeDBParameters rds:DescribeDBSnapshots rds:DescribeDBSubnetGroups
        rds:DescribeEngineDefaultParameters rds:DescribeEvents
        """,
    ),
    Grant(
        "MakeSecrets",
        """
        secretsmanager:CreateSecret secretsmanager:DeleteSecret secretsmanager:DescribeSecret
        secretsmanager:GetSecretValue secretsmanager:TagResource secretsmanager:UntagResource
        secretsmanager:UpdateSecret
        """,
        _SECRETS,
    ),
    Grant("MakePasswords", "secretsmanager:GetRandomPassword"),
    Grant(
        "MakeKafka",
        """
        kafka:BatchAssociateScramSecret kafka:BatchDisassociateScramSecret kafka:CreateCluster
        kafka:CreateConfiguration kafka:DeleteCluster kafka:DeleteConfiguration
        kafka:DescribeCluster kafka:DescribeConfiguration kafka:ListScramSecrets kafka:TagResource
        kafka:UntagResource kafka:UpdateBrokerCount kafka:UpdateBrokerStorage
        kafka:UpdateBrokerType kafka:UpdateClusterConfiguration kafka:UpdateClusterKafkaVersion
        kafka:UpdateConfiguration kafka:UpdateConnectivity kafka:UpdateMonitoring
        kafka:UpdateRebalancing kafka:UpdateSecurity kafka:UpdateStorage
        """,
        (
            "arn:{partition}:kafka:{place}:cluster/{stack}/*",
            "arn:{partition}:kafka:{place}:configuration/{stack}-brokers/*",
        ),
    ),
    Grant(
        "MakeLogs",
        """
        logs:AssociateKmsKey logs:CreateLogGroup logs:DeleteDataProtectionPolicy
        logs:DeleteLogGroup logs:DeleteRetentionPolicy logs:DisassociateKmsKey
        logs:GetDataProtectionPolicy logs:ListTagsForResource logs:PutRetentionPolicy
        logs:TagResource logs:UntagResource
        """,
        _LOGS,
    ),
    Grant(
        "DeliverLogs",
        """
        kafka:DescribeClusterOperation logs:CreateLogDelivery logs:DeleteLogDelivery
        logs:DescribeIndexPolicies logs:DescribeResourcePolicies logs:GetLogDelivery
        logs:ListLogDeliveries logs:PutResourcePolicy logs:UpdateLogDelivery
        """,
    ),
    Grant(
        "MakeFunctions",
        """
        lambda:CreateFunction lambda:DeleteFunction lambda:DeleteLayerVersion lambda:GetFunction
        lambda:GetFunctionCodeSigningConfig lambda:GetFunctionRecursionConfig
        lambda:GetFunctionScalingConfig lambda:GetLayerVersion lambda:GetRuntimeManagementConfig
        lambda:InvokeFunction lambda:PublishLayerVersion lambda:TagResource lambda:UntagResource
        lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration
        """,
        (*_FUNCTIONS, "arn:{partition}:lambda:{place}:layer:{stack}-*"),
    ),
    Grant(
        "MakeDms",
        """
        dms:AddTagsToResource dms:CreateEndpoint dms:CreateReplicationInstance
        dms:CreateReplicationSubnetGroup dms:CreateReplicationTask dms:DeleteCertificate
        dms:DeleteEndpoint dms:DeleteReplicationInstance dms:DeleteReplicationSubnetGroup
        dms:DeleteReplicationTask dms:ImportCertificate dms:ListTagsForResource dms:ModifyEndpoint
        dms:ModifyReplicationInstance dms:ModifyReplicationSubnetGroup dms:ModifyReplicationTask
        dms:RemoveTagsFromResource
        """,
        _DMS,
    ),
    Grant(
        "ReadDms",
        "dms:DescribeCertificates dms:DescribeReplicationSubnetGroups",
    ),
    Grant(
        "MakeJob",
        """
        glue:CreateConnection glue:CreateDatabase glue:DeleteConnection glue:DeleteDatabase
        glue:GetConnection glue:UpdateConnection glue:UpdateDatabase glue:PassConnection
        """,
        (
            *_CATALOG,
            "arn:{partition}:glue:{place}:connection/{stack}-network",
            "arn:{partition}:glue:{place}:userDefinedFunction/{database}/*",
        ),
    ),
    Grant(
        "MakeJobRuns",
        """
        glue:CreateJob glue:DeleteJob glue:GetTags glue:TagResource glue:UntagResource
        glue:UpdateJob
        """,
        (*_JOB, "arn:{partition}:glue:{place}:connection/{stack}-network"),
    ),
    Grant(
        "MakeJobSecurity",
        """
        glue:CreateSecurityConfiguration glue:DeleteSecurityConfiguration
        glue:GetSecurityConfiguration
        lakeformation:DescribeLakeFormationIdentityCenterConfiguration
        lakeformation:DescribeResource lakeformation:ListResources
        """,
    ),
    Grant(
        "MakeAlerts",
        """
        sns:CreateTopic sns:DeleteTopic sns:GetDataProtectionPolicy sns:GetSubscriptionAttributes
        sns:GetTopicAttributes sns:ListTagsForResource sns:SetSubscriptionAttributes
        sns:SetTopicAttributes sns:Subscribe sns:TagResource sns:Unsubscribe sns:UntagResource
        """,
        _TOPIC,
    ),
    Grant(
        "MakeAlarms",
        """
        cloudwatch:DeleteAlarms cloudwatch:DescribeAlarms cloudwatch:ListTagsForResource
        cloudwatch:PutMetricAlarm cloudwatch:TagResource cloudwatch:UntagResource
        """,
        ("arn:{partition}:cloudwatch:{place}:alarm:{stack}-*",),
    ),
    Grant(
        "MakeEvents",
        """
        events:DeleteRule events:DescribeRule events:ListTagsForResource events:ListTargetsByRule
        events:PutRule events:PutTargets events:RemoveTargets events:TagResource
        events:UntagResource
        """,
        ("arn:{partition}:events:{place}:rule/{stack}-*",),
    ),
)
"""What CloudFormation does with the rights of whoever deploys, unless `--role-arn` names a role."""

GRANTS = {
    Role.auditor: READ,
    Role.operator: (*READ, *OPERATE),
    Role.deployer: (*READ, *OPERATE, *DEPLOY, *_STACK_ITSELF),
}
ACTIONS = {
    role: frozenset(action for grant in grants for action in grant.actions.split())
    for role, grants in GRANTS.items()
}


def policy(role: Role, names: StackNames, region: str) -> dict[str, Any]:
    """Give the policy document of a role for one stack, however long it is."""
    return _document(_statement(grant, names, region) for grant in GRANTS[role])


def policy_parts(role: Role, names: StackNames, region: str) -> list[dict[str, Any]]:
    """Give the policy in as few documents as IAM takes."""
    parts: list[list[dict[str, Any]]] = [[]]
    for statement in policy(role, names, region)["Statement"]:
        if parts[-1] and length(_document([*parts[-1], statement])) > MAX_POLICY_CHARACTERS:
            parts.append([])
        parts[-1].append(statement)
    return [_document(part) for part in parts]


def length(document: Mapping[str, Any]) -> int:
    """Count a policy's characters as IAM does: without white space."""
    return len(re.sub(r"\s", "", json.dumps(document)))


def _document(statements: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _statement(grant: Grant, names: StackNames, region: str) -> dict[str, Any]:
    held = {
        "partition": _partition(region),
        "place": f"{region}:{names.account}",
        "region": region,
        "domain": f"amazonaws.com{'.cn' if region.startswith('cn-') else ''}",
        "account": names.account,
        "stack": names.stack,
        "database": names.glue_database,
    }
    # IAM and S3's list of buckets are asked in us-east-1, wherever the stack is.
    anywhere = {"StringEquals": {"aws:RequestedRegion": sorted({region, "us-east-1"})}}
    condition = dict(grant.condition) if grant.resources else anywhere
    return {
        "Sid": grant.sid,
        "Effect": "Allow",
        "Action": sorted(grant.actions.split()),
        "Resource": [each.format(**held) for each in grant.resources] or "*",
        **({"Condition": _filled(condition, held)} if condition else {}),
    }


def _filled(value: Any, held: Mapping[str, str]) -> Any:
    match value:
        case str():
            return value.format(**held)
        case Mapping():
            return {key: _filled(each, held) for key, each in value.items()}
        case _:
            return [_filled(each, held) for each in value]


def _partition(region: str) -> str:
    match region.split("-")[:2]:
        case ["cn", *_]:
            return "aws-cn"
        case ["us", "gov"]:
            return "aws-us-gov"
        case _:
            return "aws"
