"""Which operation of which service a request calls, by the models of botocore."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import botocore.session
from botocore.exceptions import UnknownServiceError

_SCOPE = re.compile(r"Credential=([^/,]+)/\d{8}/([^/]+)/([^/]+)/")
_COPIES = {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}
"""Pairs on one path; the second has a header that names its source."""
_MODEL_NAMES = {"monitoring": "cloudwatch", "airflow": "mwaa"}
"""Services whose name in a signature is not that of their model."""


@dataclass(frozen=True)
class Call:
    """Who calls what."""

    access_key: str
    region: str
    service: str
    operation: str


@dataclass(frozen=True)
class _Route:
    method: str
    path: re.Pattern[str]
    query: frozenset[str]
    literal: int
    operation: str

    def takes(self, method: str, path: str, query: Mapping[str, list[str]]) -> bool:
        return (
            self.method == method
            and self.path.fullmatch(path) is not None
            and self.query <= query.keys()
        )


@cache
def protocol_of(service: str) -> str:
    """Give the protocol a service answers in; JSON where there is no model."""
    try:
        model = botocore.session.get_session().get_service_model(service)
    except UnknownServiceError:
        return "json"
    return str(model.metadata["protocol"])


def _required_query(model: Any, operation: str) -> frozenset[str]:
    """Name the query parameters without which this operation is another one."""
    shape = model.operation_model(operation).input_shape
    members = (
        {} if shape is None else {name: shape.members[name] for name in shape.required_members}
    )
    return frozenset(
        member.serialization["name"]
        for member in members.values()
        if member.serialization.get("location") == "querystring"
    )


@cache
def _routes(service: str) -> tuple[_Route, ...]:
    try:
        model = botocore.session.get_session().get_service_model(service)
    except UnknownServiceError:
        return ()
    routes = []
    for name in sorted(set(model.operation_names) - set(_COPIES.values())):
        http = model.operation_model(name).http
        path, _, query = http["requestUri"].partition("?")
        pattern = re.sub(r"\\\{[^}]*\\\}", "(.+?)", re.escape(path.rstrip("/") or "/"))
        if service == "s3":
            pattern = pattern.replace("/(.+?)", "/([^/]+)", 1)
        needed = frozenset(parse_qs(query, keep_blank_values=True)) | _required_query(model, name)
        literal = len(re.sub(r"\{[^}]*\}", "", path))
        routes.append(_Route(http["method"], re.compile(pattern), needed, literal, name))
    return tuple(sorted(routes, key=lambda route: (len(route.query), route.literal), reverse=True))


def _by_route(service: str, method: str, path: str, query: str) -> str:
    given = parse_qs(query, keep_blank_values=True)
    wanted = path.rstrip("/") or "/"
    for route in _routes(service):
        if route.takes(method, wanted, given):
            return route.operation
    return f"{method} {path}"


def called(
    method: str, path: str, query: str, headers: Mapping[str, str], body: bytes | None
) -> Call | None:
    """Name the call; None when the request is not signed."""
    scope = _SCOPE.search(headers.get("authorization", ""))
    if scope is None:
        return None
    access_key, region, signed = scope.groups()
    service = _MODEL_NAMES.get(signed, signed)
    target = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
    cbor = re.fullmatch(r"/service/[^/]+/operation/(\w+)", path)
    action = re.search(rb"(?:^|&)Action=(\w+)", body or b"")
    if target:
        operation = target
    elif cbor:
        operation = cbor[1]
    elif action:
        operation = action[1].decode()
    else:
        operation = _by_route(service, method, path, query)
        if service == "s3" and "x-amz-copy-source" in headers:
            operation = _COPIES.get(operation, operation)
    return Call(access_key, region, service, operation)
