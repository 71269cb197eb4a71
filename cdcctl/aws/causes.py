"""Known causes: what AWS says, and what an operator can do. Hints only, never control flow."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """A pattern of AWS's text, a text that it matches, and the remedy."""

    pattern: str
    example: str
    hint: str


CAUSES = (
    Cause(
        r"dms-vpc-role",
        "The IAM Role arn:aws:iam::1:role/dms-vpc-role is not configured properly.",
        "cdcctl deploy --only infra   makes the role dms-vpc-role; IAM needs a minute to know it",
    ),
    Cause(
        r"Cannot find version [0-9.]+ for postgres"
        r"|engine version.*(not|no longer) (available|supported)",
        "Cannot find version 16.1 for postgres",
        "choose a version that is offered: cdcctl doctor",
    ),
    Cause(
        r"Unsupported KafkaVersion|KafkaVersion.*(deprecated|not supported)",
        "Unsupported KafkaVersion [3.5.1]. Valid values: [3.8.x]",
        "choose a Kafka version that is offered: cdcctl doctor",
    ),
    Cause(
        r"parameter group.*(family|cannot be used)|DBParameterGroupFamily",
        "The parameter group with DBParameterGroupFamily postgres16 cannot be used for this"
        " instance. Please use a parameter group with DBParameterGroupFamily postgres17",
        "the parameter group's family must be that of the engine version",
    ),
    Cause(
        r"lambda:GetLayerVersion|layer.*not (accessible|exist)",
        "not authorized to perform: lambda:GetLayerVersion on resource: arn:aws:lambda:x",
        "cdcctl deploy --only code   uploads the layers again",
    ),
    Cause(
        r"invalid ELF header|cannot open shared object|No module named '_?psycopg",
        "Unable to import module 'index': No module named 'psycopg2._psycopg'",
        "the layer is for another Python: cdcctl deploy --only code   builds it for python3.13",
    ),
    Cause(
        r"NoSuchKey|specified key does not exist",
        "An error occurred (NoSuchKey): The specified key does not exist.",
        "cdcctl deploy --only code   uploads what is missing",
    ),
    Cause(
        r"[Tt]est connection .*should be successful",
        "Test connection for replication instance and endpoint should be successful for starting"
        " the replication task",
        "cdcctl start dms   tests both endpoints first",
    ),
    Cause(
        r"VPC S3 endpoint validation failed",
        "VPC S3 endpoint validation failed for SubnetId: subnet-1. VPC: vpc-1.",
        "the subnet of the Glue connection needs the S3 gateway endpoint in its route table",
    ),
    Cause(
        r"(kms:|KMS).*(not authorized|AccessDenied|access denied)|ciphertext refers to a",
        "User is not authorized to perform: kms:Decrypt because no KMS policy allows it:"
        " KMS AccessDenied",
        "the key's policy must name this role: cdcctl deploy --only infra",
    ),
    Cause(
        r"(VPC|Vpc|Address|EIP)[A-Za-z ]*(limit|quota|maximum)"
        r"|AddressLimitExceeded|VpcLimitExceeded",
        "The maximum number of VPCs has been reached. (VpcLimitExceeded)",
        "delete an unused VPC or address, or ask Service Quotas for more",
    ),
    Cause(
        r"InvalidPermission\.Duplicate|rule.*already exists",
        "the specified rule peer: sg-1, TCP, from port: 5432 already exists"
        " (InvalidPermission.Duplicate)",
        "remove the rule that was added by hand from the security group",
    ),
    Cause(
        r"already exists",
        "demo-delta-123456789012 already exists in stack arn:aws:cloudformation:x",
        "another stack or an earlier one left it: cdcctl doctor   lists leftovers",
    ),
    Cause(
        r"ConcurrentRunsExceeded|Concurrent runs exceeded",
        "Concurrent runs exceeded for demo-cdc",
        "cdcctl status   shows the run that lives; cdcctl stop glue   ends it",
    ),
    Cause(
        r"not authorized to perform",
        "User: arn:aws:iam::1:user/x is not authorized to perform: glue:GetJobRuns",
        "cdcctl doctor --policy deployer   prints the policy it needs",
    ),
)


def hint_for(said: str) -> str | None:
    """Give the remedy of the first cause that AWS's text names."""
    return next((cause.hint for cause in CAUSES if re.search(cause.pattern, said)), None)
