"""Holds each answer of the fake against the shape that botocore knows for it."""

from __future__ import annotations

from typing import Any

import botocore.client

ALLOWED: frozenset[tuple[str, str, str]] = frozenset(
    {
        # DMS itself answers SOURCE and TARGET, against its model (examples of the API reference).
        ("dms", "CreateEndpoint", "Endpoint.EndpointType"),
        ("dms", "ModifyEndpoint", "Endpoint.EndpointType"),
        ("dms", "DeleteEndpoint", "Endpoint.EndpointType"),
        ("dms", "DescribeEndpoints", "Endpoints[].EndpointType"),
        # CloudFormation's events of a stack have states that the model lists for stacks only.
        ("cloudformation", "DescribeStackEvents", "StackEvents[].ResourceStatus"),
    }
)
"""Deviations that are known: service, operation, where in the answer."""


class ContractBroken(AssertionError):
    """The fake has answered what AWS cannot answer."""


def guard(client: botocore.client.BaseClient) -> None:
    """Check every parsed answer of a client."""
    client.meta.events.register("after-call.*", _check)


def _check(http_response: Any, parsed: dict[str, Any], model: Any, **_: Any) -> None:
    if http_response.status_code >= 300 or model.output_shape is None:
        return
    service, operation = model.service_model.service_name, model.name
    for place, problem in faults_of(parsed, model.output_shape):
        if (service, operation, place) not in ALLOWED:
            raise ContractBroken(f"{service} {operation}: {place or 'the answer'} {problem}")


def faults_of(value: Any, shape: Any, place: str = "") -> list[tuple[str, str]]:
    """List what in an answer does not fit its shape: members, types, enumerations."""
    match shape.type_name:
        case "structure":
            return _structure_faults(value, shape, place)
        case "list":
            if not isinstance(value, list):
                return [(place, "is not a list")]
            return [
                fault for item in value for fault in faults_of(item, shape.member, f"{place}[]")
            ]
        case "map":
            if not isinstance(value, dict):
                return [(place, "is not a map")]
            return [
                fault
                for item in value.values()
                for fault in faults_of(item, shape.value, f"{place}{{}}")
            ]
        case kind:
            return _scalar_faults(value, shape, kind, place)


def _structure_faults(value: Any, shape: Any, place: str) -> list[tuple[str, str]]:
    if not isinstance(value, dict):
        return [(place, "is not a structure")]
    missing = [name for name in shape.required_members if name not in value]
    found = [(f"{place}.{name}".lstrip("."), "is missing") for name in missing]
    for name, member in shape.members.items():
        if value.get(name) is not None:
            found += faults_of(value[name], member, f"{place}.{name}".lstrip("."))
    unknown = value.keys() - shape.members.keys() - {"ResponseMetadata"}
    return found + [(f"{place}.{name}".lstrip("."), "is unknown") for name in unknown]


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str, dict),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
}
"""A string may be a document that botocore has read already: policies of IAM."""


def _scalar_faults(value: Any, shape: Any, kind: str, place: str) -> list[tuple[str, str]]:
    allowed = _TYPES.get(kind)
    if allowed is not None and not isinstance(value, allowed):
        return [(place, f"is {type(value).__name__}, not {kind}")]
    if kind == "string" and shape.enum and value not in shape.enum:
        return [(place, f"is {value!r}, not one of {', '.join(shape.enum)}")]
    return []
