"""Network interfaces that a deleted stack leaves behind."""

from __future__ import annotations

from collections.abc import Iterable

from cdcctl.aws.errors import AwsError
from cdcctl.aws.session import Aws


def leftover_interfaces(aws: Aws, groups: list[str]) -> list[str]:
    """Give the interfaces of security groups that nothing uses any more."""
    return _unused(aws, "group-id", groups) if groups else []


def interfaces_of_functions(aws: Aws, functions: Iterable[str]) -> list[str]:
    """Give the interfaces that were made for Lambdas and that nothing uses any more."""
    return _unused(aws, "description", [f"AWS Lambda VPC ENI-{each}-*" for each in functions])


def _unused(aws: Aws, name: str, values: list[str]) -> list[str]:
    listed = aws.pages(
        "ec2",
        "describe_network_interfaces",
        "NetworkInterfaces",
        Filters=[{"Name": name, "Values": values}, {"Name": "status", "Values": ["available"]}],
    )
    return [each["NetworkInterfaceId"] for each in listed]


def delete_interface(aws: Aws, interface: str) -> bool:
    """Delete an interface; False when it is gone or in use again."""
    try:
        aws.call("ec2", "delete_network_interface", NetworkInterfaceId=interface)
    except AwsError as error:
        if error.aws_code in {
            "InvalidNetworkInterfaceID.NotFound",
            "InvalidNetworkInterface.InUse",
            "InvalidParameterValue",
        }:
            return False
        raise
    return True
