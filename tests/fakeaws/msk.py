"""MSK: the second version of the cluster calls, policies, and a real broker's address."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from ministack.core.responses import AccountRegionScopedDict
from ministack.services import msk

from tests.fakeaws.refusal import Response
from tests.fakeaws.settings import setting

policies = AccountRegionScopedDict()
STORES = (policies,)

_JSON = {"Content-Type": "application/json"}
_V2 = "/api/v2/clusters"
_PROVISIONED = (
    "BrokerNodeGroupInfo",
    "ClientAuthentication",
    "CurrentBrokerSoftwareInfo",
    "EncryptionInfo",
    "EnhancedMonitoring",
    "LoggingInfo",
    "NumberOfBrokerNodes",
)
_KAFKA_VERSIONS = ("3.6.0", "3.7.x", "3.8.x", "3.9.x", "4.0.x.kraft")

_handle_v1 = msk.handle_request


def _json(document: dict[str, Any]) -> Response:
    return 200, dict(_JSON), json.dumps(document).encode()


def _cluster_v2(cluster: dict[str, Any]) -> dict[str, Any]:
    provisioned = {name: cluster[name] for name in _PROVISIONED if cluster.get(name)}
    software = provisioned.get("CurrentBrokerSoftwareInfo", {})
    provisioned["CurrentBrokerSoftwareInfo"] = {k: v for k, v in software.items() if v is not None}
    return {
        "clusterArn": cluster["ClusterArn"],
        "clusterName": cluster["ClusterName"],
        "clusterType": "PROVISIONED",
        "creationTime": cluster["CreationTime"],
        "currentVersion": cluster["CurrentVersion"],
        "state": cluster["State"],
        "provisioned": msk._camelize(provisioned),
        "tags": cluster.get("Tags", {}),
    }


def _list_v2(query: dict[str, list[str]]) -> Response:
    name = (query.get("clusterNameFilter") or [""])[0]
    found = [
        _cluster_v2(cluster)
        for cluster in msk._clusters.values()
        if cluster["ClusterName"].startswith(name)
    ]
    start = int((query.get("nextToken") or ["0"])[0])
    size = int((query.get("maxResults") or ["100"])[0])
    more = {"nextToken": str(start + size)} if start + size < len(found) else {}
    return _json({"clusterInfoList": found[start : start + size], **more})


async def _v2(method: str, path: str, headers: Any, body: bytes, query: Any) -> Response:
    arn = unquote(path[len(_V2) :].strip("/"))
    if method == "POST":
        request = json.loads(body)
        flat = {"clusterName": request["clusterName"], **(request.get("provisioned") or {})}
        answer: Response = await _handle_v1(
            "POST", "/v1/clusters", headers, json.dumps(flat).encode(), query
        )
        return answer
    if not arn:
        return _list_v2(query)
    cluster = msk._clusters.get(arn)
    if cluster is None:
        missing: Response = msk._not_found("The requested resource doesn't exist.")
        return missing
    return _json({"clusterInfo": _cluster_v2(cluster)})


def _policy(method: str, arn: str, body: bytes) -> Response:
    if method == "PUT":
        policies[arn] = json.loads(body)["policy"]
        return _json({"currentVersion": "1"})
    if arn not in policies:
        missing: Response = msk._not_found("The requested resource doesn't exist.")
        return missing
    if method == "DELETE":
        policies.pop(arn)
        return _json({})
    return _json({"policy": policies[arn], "currentVersion": "1"})


def _with_real_broker(response: Response) -> Response:
    """Put the broker that the test has started in place of the addresses of the answer."""
    address = setting("kafka_bootstrap")
    status, headers, body = response
    if status != 200:
        return response
    brokers = {name: value for name, value in json.loads(body).items() if value}
    if address:
        brokers = {name: address for name in brokers}
    return status, headers, json.dumps(brokers).encode()


async def handle(
    method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
) -> Response:
    """Answer a request; what is not here goes to ministack."""
    if path.startswith(_V2):
        return await _v2(method, path, headers, body, query)
    if path == "/v1/kafka-versions":
        versions = [{"version": version, "status": "ACTIVE"} for version in _KAFKA_VERSIONS]
        return _json({"kafkaVersions": versions})
    if path.startswith("/v1/clusters/") and path.endswith("/policy"):
        return _policy(method, unquote(path[len("/v1/clusters/") : -len("/policy")]), body)
    response: Response = await _handle_v1(method, path, headers, body, query)
    if path.endswith("/bootstrap-brokers"):
        return _with_real_broker(response)
    return response


def make_users(logins: list[dict[str, str]]) -> None:
    """Make the users of SCRAM secrets known to the real broker, as MSK does with its own."""
    from kafka.admin import KafkaAdminClient, ScramMechanism, UserScramCredentialUpsertion

    admin = KafkaAdminClient(**setting("kafka_admin"))
    try:
        refused = admin.alter_user_scram_credentials(
            [
                UserScramCredentialUpsertion(
                    login["username"], ScramMechanism.SCRAM_SHA_512, password=login["password"]
                )
                for login in logins
            ]
        )
    finally:
        admin.close()
    messages = [message for message in refused.values() if message]
    if messages:
        raise ValueError(f"{'; '.join(messages)} (Service: Kafka, Status Code: 400)")
