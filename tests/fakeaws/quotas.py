"""Service Quotas: every quota has room, unless a test has said how much."""

from __future__ import annotations

from collections.abc import Callable

from ministack.core.responses import get_account_id, get_region

from tests.fakeaws.refusal import Answer, Refusal, Request, Response, answered
from tests.fakeaws.settings import setting

_PLENTY = 1000.0


def get_service_quota(request: Request) -> Answer:
    service, code = request["ServiceCode"], request["QuotaCode"]
    return {"Quota": _quota(service, code, setting("quotas").get(code, _PLENTY))}


def _quota(service: str, code: str, value: float) -> Answer:
    place = f"{get_region()}:{get_account_id()}"
    return {
        "ServiceCode": service,
        "QuotaCode": code,
        "QuotaArn": f"arn:aws:servicequotas:{place}:{service}/{code}",
        "QuotaName": code,
        "Value": float(value),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def list_service_quotas(request: Request) -> Answer:
    service = request["ServiceCode"]
    return {"Quotas": [_quota(service, code, value) for code, value in setting("quotas").items()]}


OPERATIONS: dict[str, Callable[[Request], Answer]] = {
    "GetServiceQuota": get_service_quota,
    "GetAWSDefaultServiceQuota": get_service_quota,
    "ListServiceQuotas": list_service_quotas,
}


def _refuse(request: Request) -> Answer:
    raise Refusal("InvalidAction", "this fake of Service Quotas does not know the operation")


async def handle(
    method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
) -> Response:
    """Answer a request of the JSON protocol."""
    name = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
    return answered(OPERATIONS.get(name, _refuse), body)
