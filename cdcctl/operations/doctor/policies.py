"""The least that each kind of operator must be allowed, as IAM policies."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from cdcctl.compile.names import StackNames


class Role(StrEnum):
    """Who works with a pipeline."""

    deployer = "deployer"
    operator = "operator"
    auditor = "auditor"


_READ = frozenset(
    (
        "cloudformation:DescribeStacks",
        "cloudformation:DescribeStackEvents",
        "cloudformation:DescribeStackResources",
        "cloudformation:ListStackResources",
        "cloudformation:GetTemplate",
        "cloudwatch:GetMetricData",
        "dms:DescribeConnections",
        "dms:DescribeEndpoints",
        "dms:DescribeReplicationInstances",
        "dms:DescribeReplicationTasks",
        "dms:DescribeTableStatistics",
        "ec2:DescribeVpcs",
        "glue:GetDatabase",
        "glue:GetJob",
        "glue:GetJobRun",
        "glue:GetJobRuns",
        "glue:GetTable",
        "glue:GetTables",
        "kafka:DescribeClusterV2",
        "kafka:ListKafkaVersions",
        "logs:DescribeLogGroups",
        "logs:FilterLogEvents",
        "rds:DescribeDBEngineVersions",
        "rds:DescribeDBInstances",
        "s3:GetObject",
        "s3:ListBucket",
        "servicequotas:GetServiceQuota",
        "sts:GetCallerIdentity",
    )
)
_OPERATE = frozenset(
    (
        "athena:GetQueryExecution",
        "athena:GetQueryResults",
        "athena:StartQueryExecution",
        "athena:StopQueryExecution",
        "dms:ReloadTables",
        "dms:StartReplicationTask",
        "dms:StopReplicationTask",
        "dms:TestConnection",
        "glue:BatchStopJobRun",
        "glue:StartJobRun",
        "lambda:InvokeFunction",
        "s3:PutObject",
    )
)
_DEPLOY = frozenset(
    (
        "cloudformation:CreateChangeSet",
        "cloudformation:DeleteChangeSet",
        "cloudformation:DeleteStack",
        "cloudformation:DescribeChangeSet",
        "cloudformation:ExecuteChangeSet",
        "cloudformation:UpdateTerminationProtection",
        "dms:DescribeOrderableReplicationInstances",
        "dms:ModifyEndpoint",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "iam:ListAttachedRolePolicies",
        "iam:SimulatePrincipalPolicy",
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "lambda:DeleteLayerVersion",
        "lambda:ListLayerVersions",
        "lambda:ListLayers",
        "logs:DeleteLogGroup",
        "rds:DeleteDBSnapshot",
        "rds:DescribeDBSnapshots",
        "rds:ModifyDBInstance",
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:ListAllMyBuckets",
        "s3:ListBucketMultipartUploads",
        "s3:ListBucketVersions",
        "secretsmanager:DeleteSecret",
        "secretsmanager:ListSecrets",
    )
)
ACTIONS = {
    Role.auditor: _READ,
    Role.operator: _READ | _OPERATE,
    Role.deployer: _READ | _OPERATE | _DEPLOY,
}
"""Actions of the tool itself; what CloudFormation creates needs a role for it (`--role-arn`)."""

_BY_NAME = ("cloudformation", "glue", "lambda", "s3", "athena")
"""Services whose actions can be narrowed to the stack's names without knowing generated ids."""
_WITHOUT_RESOURCE = frozenset(
    (
        "s3:ListAllMyBuckets",
        "cloudformation:DescribeStacks",
        "athena:StartQueryExecution",
        # Layers are not functions, and their names end in a version.
        "lambda:DeleteLayerVersion",
        "lambda:ListLayerVersions",
        "lambda:ListLayers",
    )
)


def policy(role: Role, names: StackNames, region: str) -> dict[str, Any]:
    """Give the policy document of a role for one stack."""
    narrowed: dict[str, list[str]] = {}
    wide: list[str] = []
    for action in sorted(ACTIONS[role]):
        service = action.partition(":")[0]
        if service in _BY_NAME and action not in _WITHOUT_RESOURCE:
            narrowed.setdefault(service, []).append(action)
        else:
            wide.append(action)
    statements: list[dict[str, Any]] = [
        {
            "Sid": service.capitalize(),
            "Effect": "Allow",
            "Action": actions,
            "Resource": _resources(service, names, region),
        }
        for service, actions in narrowed.items()
    ]
    statements.append(
        {
            "Sid": "Region",
            "Effect": "Allow",
            "Action": wide,
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:RequestedRegion": [region, "us-east-1"]}},
        }
    )
    return {"Version": "2012-10-17", "Statement": statements}


def _resources(service: str, names: StackNames, region: str) -> list[str]:
    own = f"{region}:{names.account}"
    match service:
        case "cloudformation":
            stacks = (names.stack, names.bootstrap_stack)
            return [f"arn:aws:cloudformation:{own}:stack/{name}/*" for name in stacks]
        case "glue":
            database = names.glue_database
            return [
                f"arn:aws:glue:{own}:catalog",
                f"arn:aws:glue:{own}:database/{database}",
                f"arn:aws:glue:{own}:table/{database}/*",
                f"arn:aws:glue:{own}:job/{names.glue_job}",
            ]
        case "lambda":
            return [f"arn:aws:lambda:{own}:function:{name}" for name in names.functions]
        case "athena":
            return [f"arn:aws:athena:{own}:workgroup/primary"]
        case _:
            buckets = (
                names.assets_bucket,
                names.delta_bucket,
                names.quarantine_bucket,
                names.access_logs_bucket,
            )
            return [f"arn:aws:s3:::{name}{end}" for name in buckets for end in ("", "/*")]
