"""Databases of RDS."""

from __future__ import annotations

from typing import Any

from cdcctl.aws.errors import AwsError
from cdcctl.aws.session import Aws


def find_instance(aws: Aws, identifier: str) -> dict[str, Any] | None:
    """Give what RDS tells of a database; None when there is none of this name."""
    try:
        (found,) = aws.call("rds", "describe_db_instances", DBInstanceIdentifier=identifier)[
            "DBInstances"
        ]
    except AwsError as error:
        if error.aws_code in {"DBInstanceNotFound", "DBInstanceNotFoundFault"}:
            return None
        raise
    instance: dict[str, Any] = found
    return instance
