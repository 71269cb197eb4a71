"""What the fake stands on: ministack's private names, and every call that cdcctl makes."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from tests.fakeaws.contract import ContractBroken
from tests.fakeaws.fixture import FakeAws, start_server
from tests.fakeaws.venv import LOCK, environment_folder, fake_python

pytestmark = pytest.mark.aws

ROOT = Path(__file__).resolve().parents[2]

CANARY = """
import importlib.metadata, inspect, json
from ministack import app
from ministack.core import responses
from ministack.services import cloudformation, cloudwatch, ec2, glue, lambda_svc, msk, rds, s3
from ministack.services import secretsmanager
from ministack.services.cloudformation import engine, helpers, provisioners, stacks
from hypercorn.asyncio.tcp_server import TCPServer

def takes(function, *names):
    return list(inspect.signature(function).parameters)[: len(names)] == list(names)

handlers = provisioners._RESOURCE_HANDLERS
print(json.dumps({
    "version": importlib.metadata.version("ministack"),
    "handlers": {"kafka", "glue"} <= app.SERVICE_HANDLERS.keys(),
    "types": {"AWS::S3::Bucket", "AWS::RDS::DBInstance", "AWS::SecretsManager::Secret",
              "AWS::Lambda::Function", "AWS::Lambda::LayerVersion"} <= handlers.keys(),
    "create": takes(handlers["AWS::S3::Bucket"]["create"], "logical_id", "props", "stack_name"),
    "delete": takes(handlers["AWS::S3::Bucket"]["delete"], "physical_id", "props"),
    "delete_of_stack": "delete_with_logical_id" in inspect.getsource(provisioners._delete_resource),
    "update_of_stack": "update_with_logical_id" in inspect.getsource(provisioners._update_resource),
    "replacing": isinstance(provisioners._REPLACING_PROPERTIES, dict),
    "custom": takes(provisioners._custom_resource_create, "logical_id", "props", "stack_name"),
    "worker": takes(stacks._runs_on_worker_thread, "resource_type"),
    "document": takes(helpers._resolve_document, "params", "body_key", "url_key", "label"),
    "change_sets": "CreateChangeSet" in cloudformation._ACTION_HANDLERS,
    "conditions": takes(engine._evaluate_conditions, "template", "params"),
    "stores": all(hasattr(module, name) for module, name in (
        (msk, "_clusters"), (msk, "_configurations"), (msk, "_config_revisions"),
        (msk, "_scram_secrets"), (glue, "_jobs"), (glue, "_security_configs"),
        (rds, "_instances"), (rds, "_ACTION_MAP"),
        (secretsmanager, "_secrets"), (lambda_svc, "_layers"),
        (ec2, "_network_interfaces"), (ec2, "_security_groups"), (ec2, "_ACTION_MAP"))),
    "object": takes(s3._get_object_data, "bucket_name", "key"),
    "database": takes(rds._instance_xml, "i"),
    "metrics": takes(
        cloudwatch.record_metric, "namespace", "metric_name", "value", "unit", "dimensions"
    ),
    "scopes": takes(responses.request_scope, "account_id", "region"),
    "writer": "self.writer" in inspect.getsource(TCPServer.__init__),
}))
"""


def test_ministack_has_the_private_names_that_the_fake_uses() -> None:
    done = subprocess.run(
        [str(fake_python()), "-c", CANARY], capture_output=True, text=True, timeout=60, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("version") == "1.5.33"
    assert [name for name, is_there in found.items() if not is_there] == []


def calls_of_cdcctl() -> set[tuple[str, str]]:
    """Find each `.call("service", "operation"` and `.pages(...)` in the tool's source."""
    found = set()
    for file in (ROOT / "cdcctl").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="call" | "pages"),
                    args=[ast.Constant(value=str(service)), ast.Constant(value=str(operation)), *_],
                ):
                    found.add((service, operation))
    return found


def any_value(shape: Any) -> Any:
    """Make up the least that a parameter of this shape can be."""
    match shape.type_name:
        case "structure":
            return {name: any_value(shape.members[name]) for name in shape.required_members}
        case "list":
            return [any_value(shape.member)]
        case "map":
            return {"key": any_value(shape.value)}
        case "integer" | "long" | "float" | "double":
            return 20
        case "boolean":
            return False
        case "blob":
            return b"{}"
        case "timestamp":
            return 0
        case _:
            return shape.enum[0] if shape.enum else "made-up"


UNKNOWN = {"InvalidAction", "UnknownOperationException", "NotImplemented", "InternalError"}


def test_the_fake_knows_every_call_that_cdcctl_makes(fake_aws: FakeAws) -> None:
    calls = sorted(calls_of_cdcctl())
    assert ("sts", "get_caller_identity") in calls
    clients = {service: fake_aws.client(service) for service in {service for service, _ in calls}}
    refused = []
    for service, operation in calls:
        client = clients[service]
        model = client.meta.service_model.operation_model(
            client.meta.method_to_api_mapping[operation]
        )
        given = any_value(model.input_shape) if model.input_shape else {}
        try:
            getattr(client, operation)(**given)
        except ClientError as error:
            if error.response["Error"]["Code"] in UNKNOWN or "No route for" in str(error):
                refused.append(f"{service} {operation}: {error}")
        except ContractBroken as broken:
            refused.append(str(broken))
        except ParamValidationError:
            continue
    assert refused == []


def test_the_environment_is_named_after_its_lock() -> None:
    assert environment_folder().name.endswith(
        f"-py{sys.version_info.major}{sys.version_info.minor}"
    )
    pinned = [line for line in LOCK.read_text().splitlines() if "==" in line]
    assert "ministack==1.5.33 \\" in pinned
    assert all(line.endswith("\\") for line in pinned), "each version has its hashes"


def test_the_server_ends_with_its_parent(tmp_path: Path) -> None:
    code = f"""
import sys, time
from pathlib import Path
from tests.fakeaws.fixture import start_server
server = start_server(Path({str(tmp_path / "log")!r}))
print(server.process.pid, flush=True)
time.sleep(60)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None
        server = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    ends_at = time.monotonic() + 10
    while time.monotonic() < ends_at and is_running(server):
        time.sleep(0.1)
    assert not is_running(server)


def is_running(pid: int) -> bool:
    """Tell whether a process lives; one that only waits to be collected does not."""
    status = Path(f"/proc/{pid}/status")
    try:
        return "State:\tZ" not in status.read_text()
    except FileNotFoundError:
        return False


def test_the_server_ends_after_its_time(tmp_path: Path) -> None:
    server = start_server(tmp_path / "log", FAKE_LIFETIME_SECONDS="1")
    assert server.process.wait(timeout=10) == 0
