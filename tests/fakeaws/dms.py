"""DMS: subnet groups, instances, endpoints, connection tests and tasks, with their states."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region

from tests.fakeaws.processes import Child, environment_of_account, new_folder
from tests.fakeaws.refusal import Answer, Refusal, Request, Response, answered
from tests.fakeaws.settings import due, failure, setting

groups = AccountRegionScopedDict()
instances = AccountRegionScopedDict()
endpoints = AccountRegionScopedDict()
connections = AccountRegionScopedDict()
tasks = AccountRegionScopedDict()
tags = AccountRegionScopedDict()

STORES = (groups, instances, endpoints, connections, tasks, tags)

_NOT_STORED = {"Tags", "Password", "ResourceIdentifier"}
_ENGINE_VERSIONS = ("3.5.4", "3.6.0", "3.6.1")
_RELOAD = "reload"
"""The control file by which the local capture is asked to load a table again."""
_BUSY = ("starting", "running", "stopping", "modifying", "deleting")


def _new_arn(kind: str) -> str:
    place = f"{get_region()}:{get_account_id()}"
    return f"arn:aws:dms:{place}:{kind}:{uuid.uuid4().hex[:26].upper()}"


def _public(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if not name.startswith("_")}


def _kept(request: Request) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name not in _NOT_STORED}


def _found(store: AccountRegionScopedDict, key: str, what: str) -> dict[str, Any]:
    record: dict[str, Any] | None = store.get(key)
    if record is None:
        raise Refusal("ResourceNotFoundFault", f"{what} {key} not found.")
    return record


def _free(store: AccountRegionScopedDict, field: str, name: str, what: str) -> None:
    if any(record[field] == name for record in store.values()):
        raise Refusal("ResourceAlreadyExistsFault", f"{what} already exists: {name}")


def _listing(
    request: Request,
    records: Iterable[dict[str, Any]],
    key: str,
    filters: dict[str, str],
    *,
    none_found: str | None = None,
) -> Answer:
    """Filter and page; DMS refuses a filter that finds nothing, where `none_found` says so."""
    items = [_public(record) for record in records]
    for given in request.get("Filters") or ():
        field = filters.get(given["Name"])
        if field is None:
            raise Refusal("InvalidParameterValueException", f"Invalid filter {given['Name']}")
        wanted = {value.lower() for value in given["Values"]}
        items = [item for item in items if str(item.get(field)).lower() in wanted]
    if not items and request.get("Filters") and none_found:
        raise Refusal("ResourceNotFoundFault", none_found)
    size = int(request.get("MaxRecords") or 100)
    if not 20 <= size <= 100:
        raise Refusal("InvalidParameterValueException", "MaxRecords must be from 20 to 100")
    start = int(request.get("Marker") or 0)
    answer: Answer = {key: items[start : start + size]}
    if start + size < len(items):
        answer["Marker"] = str(start + size)
    return answer


def _tag(arn: str, request: Request) -> None:
    tags[arn] = {tag["Key"]: tag.get("Value", "") for tag in request.get("Tags") or ()}


def create_replication_subnet_group(request: Request) -> Answer:
    name = request["ReplicationSubnetGroupIdentifier"].lower()
    _free(groups, "ReplicationSubnetGroupIdentifier", name, "Replication subnet group")
    groups[name] = {
        "ReplicationSubnetGroupIdentifier": name,
        "ReplicationSubnetGroupDescription": request["ReplicationSubnetGroupDescription"],
        "SubnetGroupStatus": "Complete",
        "Subnets": [{"SubnetIdentifier": subnet} for subnet in request["SubnetIds"]],
    }
    return {"ReplicationSubnetGroup": groups[name]}


def modify_replication_subnet_group(request: Request) -> Answer:
    name = request["ReplicationSubnetGroupIdentifier"].lower()
    group = _found(groups, name, "Replication subnet group")
    group["Subnets"] = [{"SubnetIdentifier": subnet} for subnet in request["SubnetIds"]]
    return {"ReplicationSubnetGroup": group}


def delete_replication_subnet_group(request: Request) -> Answer:
    name = request["ReplicationSubnetGroupIdentifier"]
    _found(groups, name, "Replication subnet group")
    if any(of.get("ReplicationSubnetGroupIdentifier") == name for of in instances.values()):
        raise Refusal("InvalidResourceStateFault", f"Subnet group {name} is in use.")
    groups.pop(name)
    return {}


def describe_replication_subnet_groups(request: Request) -> Answer:
    return _listing(
        request,
        groups.values(),
        "ReplicationSubnetGroups",
        {"replication-subnet-group-id": "ReplicationSubnetGroupIdentifier"},
        none_found="No Subnet Groups found matching provided filters",
    )


def create_replication_instance(request: Request) -> Answer:
    name = request["ReplicationInstanceIdentifier"]
    _free(instances, "ReplicationInstanceIdentifier", name, "Replication Instance")
    group = request.get("ReplicationSubnetGroupIdentifier")
    if group is not None:
        _found(groups, group.lower(), "Replication subnet group")
    arn = _new_arn("rep")
    instances[arn] = {
        **_kept(request),
        "ReplicationInstanceArn": arn,
        "ReplicationInstanceStatus": "available",
        "ReplicationInstancePrivateIpAddresses": ["10.0.0.10"],
        "InstanceCreateTime": time.time(),
    }
    _tag(arn, request)
    creating = {**_described(instances[arn]), "ReplicationInstanceStatus": "creating"}
    return {"ReplicationInstance": creating}


def _described(instance: dict[str, Any]) -> dict[str, Any]:
    """Give an instance as it is described: its subnet group and security groups are objects."""
    described = _public(instance)
    group = described.pop("ReplicationSubnetGroupIdentifier", None)
    if group is not None:
        described["ReplicationSubnetGroup"] = groups.get(group.lower())
    described["VpcSecurityGroups"] = [
        {"VpcSecurityGroupId": name, "Status": "active"}
        for name in described.pop("VpcSecurityGroupIds", ())
    ]
    return described


def modify_replication_instance(request: Request) -> Answer:
    arn = request["ReplicationInstanceArn"]
    instance = _found(instances, arn, "Replication instance")
    instance.update({k: v for k, v in _kept(request).items() if k != "ApplyImmediately"})
    return {"ReplicationInstance": _described(instance)}


def delete_replication_instance(request: Request) -> Answer:
    arn = request["ReplicationInstanceArn"]
    instance = _found(instances, arn, "Replication instance")
    if any(task["ReplicationInstanceArn"] == arn for task in tasks.values()):
        raise Refusal(
            "InvalidResourceStateFault", "Replication instance has one or more replication tasks."
        )
    instances.pop(arn)
    for key in [key for key in connections if key[0] == arn]:
        connections.pop(key)
    return {
        "ReplicationInstance": {**_described(instance), "ReplicationInstanceStatus": "deleting"}
    }


def describe_replication_instances(request: Request) -> Answer:
    return _listing(
        request,
        [_described(instance) for instance in instances.values()],
        "ReplicationInstances",
        {
            "replication-instance-arn": "ReplicationInstanceArn",
            "replication-instance-id": "ReplicationInstanceIdentifier",
        },
        none_found="No Replication Instances found matching provided filters",
    )


def create_endpoint(request: Request) -> Answer:
    name = request["EndpointIdentifier"]
    _free(endpoints, "EndpointIdentifier", name, "Endpoint")
    arn = _new_arn("endpoint")
    endpoints[arn] = {
        **_kept(request),
        "_password": request.get("Password"),
        "EndpointArn": arn,
        "EndpointType": request["EndpointType"].upper(),
        "Status": "active",
    }
    _tag(arn, request)
    return {"Endpoint": _shown_endpoint(endpoints[arn])}


def _shown_endpoint(endpoint: dict[str, Any]) -> dict[str, Any]:
    """Give an endpoint as it is described: without the passwords of its settings."""
    shown = _public(endpoint)
    for name, value in shown.items():
        if name.endswith("Settings") and isinstance(value, dict):
            shown[name] = {k: v for k, v in value.items() if "Password" not in k}
    return shown


def modify_endpoint(request: Request) -> Answer:
    endpoint = _found(endpoints, request["EndpointArn"], "Endpoint")
    exact = request.get("ExactSettings", False)
    for name, value in _kept(request).items():
        if name in ("EndpointArn", "ExactSettings"):
            continue
        if name.endswith("Settings") and not exact:
            endpoint[name] = {**endpoint.get(name, {}), **value}
        else:
            endpoint[name] = value
    return {"Endpoint": _shown_endpoint(endpoint)}


def delete_endpoint(request: Request) -> Answer:
    arn = request["EndpointArn"]
    endpoint = _found(endpoints, arn, "Endpoint")
    if any(
        arn in (task["SourceEndpointArn"], task["TargetEndpointArn"]) for task in tasks.values()
    ):
        raise Refusal(
            "InvalidResourceStateFault", f"Endpoint {arn} is part of one or more replication tasks."
        )
    endpoints.pop(arn)
    for key in [key for key in connections if key[1] == arn]:
        connections.pop(key)
    return {"Endpoint": {**_shown_endpoint(endpoint), "Status": "deleting"}}


def describe_endpoints(request: Request) -> Answer:
    return _listing(
        request,
        [_shown_endpoint(endpoint) for endpoint in endpoints.values()],
        "Endpoints",
        {
            "endpoint-arn": "EndpointArn",
            "endpoint-id": "EndpointIdentifier",
            "endpoint-type": "EndpointType",
            "engine-name": "EngineName",
        },
        none_found="No Endpoints found matching provided filters",
    )


def test_connection(request: Request) -> Answer:
    instance = _found(instances, request["ReplicationInstanceArn"], "Replication instance")
    endpoint = _found(endpoints, request["EndpointArn"], "Endpoint")
    connection = {
        "ReplicationInstanceArn": instance["ReplicationInstanceArn"],
        "ReplicationInstanceIdentifier": instance["ReplicationInstanceIdentifier"],
        "EndpointArn": endpoint["EndpointArn"],
        "EndpointIdentifier": endpoint["EndpointIdentifier"],
        "_tested_at": due(),
        "_problem": failure("dms-connection", f"dms-connection:{endpoint['EndpointType'].lower()}"),
    }
    connections[instance["ReplicationInstanceArn"], endpoint["EndpointArn"]] = connection
    return {"Connection": {**_public(connection), "Status": "testing"}}


test_connection.__test__ = False  # type: ignore[attr-defined]  # pytest takes it for a test


def _connection_status(connection: dict[str, Any] | None) -> str:
    if connection is None:
        return "untested"
    if time.time() < connection["_tested_at"]:
        return "testing"
    return "failed" if connection["_problem"] else "successful"


def delete_connection(request: Request) -> Answer:
    key = (request["ReplicationInstanceArn"], request["EndpointArn"])
    if key not in connections:
        raise Refusal("ResourceNotFoundFault", "Connection not found")
    return {"Connection": {**_public(connections.pop(key)), "Status": "deleting"}}


def describe_connections(request: Request) -> Answer:
    shown = []
    for connection in connections.values():
        status = _connection_status(connection)
        message = {"LastFailureMessage": connection["_problem"]} if status == "failed" else {}
        shown.append({**_public(connection), "Status": status, **message})
    return _listing(
        request,
        shown,
        "Connections",
        {"endpoint-arn": "EndpointArn", "replication-instance-arn": "ReplicationInstanceArn"},
    )


def create_replication_task(request: Request) -> Answer:
    name = request["ReplicationTaskIdentifier"]
    _free(tasks, "ReplicationTaskIdentifier", name, "Replication Task")
    _found(instances, request["ReplicationInstanceArn"], "Replication instance")
    for side in ("SourceEndpointArn", "TargetEndpointArn"):
        _found(endpoints, request[side], "Endpoint")
    _well_formed(request)
    arn = _new_arn("task")
    tasks[arn] = {
        **_kept(request),
        "ReplicationTaskArn": arn,
        "ReplicationTaskCreationDate": time.time(),
        "Status": "ready",
        "_later": [],
        "_was_started": False,
        "_reloaded_at": {},
        "_loads_began": {},
        "_capture": None,
    }
    _tag(arn, request)
    return {"ReplicationTask": {**_public(tasks[arn]), "Status": "creating"}}


def _well_formed(request: Request) -> None:
    for name in ("TableMappings", "ReplicationTaskSettings"):
        try:
            json.loads(request.get(name) or "{}")
        except ValueError as error:
            raise Refusal(
                "InvalidParameterValueException", f"{name} is not JSON: {error}"
            ) from error


def _task(arn: str) -> dict[str, Any]:
    """Give a task as it is now: what was to come by this time has come."""
    task = _found(tasks, arn, "Replication task")
    while task["_later"] and task["_later"][0][0] <= time.time():
        task.update(task["_later"].pop(0)[1])
    capture: Child | None = task["_capture"]
    if capture is not None and capture.exit_code is not None:
        task["_capture"] = None
        if task["Status"] in ("starting", "running"):
            task.update(_failed(f"the capture ended with {capture.exit_code}: {capture.last_line}"))
    return task


def _failed(message: str) -> dict[str, Any]:
    return {
        "Status": "failed",
        "StopReason": "Stop Reason FATAL_ERROR Error Level FATAL",
        "LastFailureMessage": message,
        "_later": [],
    }


def describe_replication_tasks(request: Request) -> Answer:
    return _listing(
        request,
        [_task(arn) for arn in list(tasks)],
        "ReplicationTasks",
        {
            "replication-task-arn": "ReplicationTaskArn",
            "replication-task-id": "ReplicationTaskIdentifier",
            "migration-type": "MigrationType",
            "endpoint-arn": "SourceEndpointArn",
            "replication-instance-arn": "ReplicationInstanceArn",
        },
        none_found="No Tasks found matching provided filters",
    )


def modify_replication_task(request: Request) -> Answer:
    task = _task(request["ReplicationTaskArn"])
    if task["Status"] in _BUSY:
        raise Refusal(
            "InvalidResourceStateFault",
            f"Replication Task cannot be modified, invalid state: {task['Status']}",
        )
    _well_formed(request)
    before = task["Status"]
    task.update({k: v for k, v in _kept(request).items() if k != "ReplicationTaskArn"})
    task["Status"] = "modifying"
    task["_later"] = [(due(), {"Status": before})]
    return {"ReplicationTask": _public(task)}


def delete_replication_task(request: Request) -> Answer:
    task = _task(request["ReplicationTaskArn"])
    if task["Status"] in _BUSY:
        raise Refusal(
            "InvalidResourceStateFault", f"The replication task is currently {task['Status']}"
        )
    tasks.pop(request["ReplicationTaskArn"])
    return {"ReplicationTask": {**_public(task), "Status": "deleting"}}


def start_replication_task(request: Request) -> Answer:
    task = _task(request["ReplicationTaskArn"])
    kind = request["StartReplicationTaskType"]
    if task["Status"] not in ("ready", "stopped", "failed"):
        raise Refusal(
            "InvalidResourceStateFault",
            f"Replication Task cannot be started, invalid state: {task['Status']}",
        )
    if kind == "start-replication" and task["_was_started"]:
        raise Refusal(
            "InvalidParameterCombinationException",
            "Start Type : START_REPLICATION, valid only for tasks running for the first time",
        )
    if kind != "start-replication" and not task["_was_started"]:
        raise Refusal(
            "InvalidParameterCombinationException",
            f"Start Type : {kind.upper().replace('-', '_')}, not valid for a task that never ran",
        )
    for side in ("SourceEndpointArn", "TargetEndpointArn"):
        tested = connections.get((task["ReplicationInstanceArn"], task[side]))
        if _connection_status(tested) != "successful":
            raise Refusal(
                "InvalidResourceStateFault",
                "Test connection for replication instance and endpoint should be successful"
                " for starting the replication task",
            )
    _begin(task, kind)
    return {"ReplicationTask": _public(task)}


def _begin(task: dict[str, Any], kind: str) -> None:
    task.update(Status="starting", _was_started=True, ReplicationTaskStartDate=time.time())
    task.pop("StopReason", None)
    task.pop("LastFailureMessage", None)
    task["_later"] = [(due(), {"Status": "running"})]
    problem = failure("dms-task")
    if problem:
        task["_later"].append((due(2), _failed(problem)))
    if setting("dms_capture") and not problem:
        task["_capture"] = _started_capture(task, kind)


def _started_capture(task: dict[str, Any], kind: str) -> Child:
    """Start the local capture; it finds what it is to do in the file named by FAKE_DMS_TASK."""
    folder = Path(task.get("_folder") or new_folder("dms"))
    task["_folder"] = str(folder)
    document = {
        "task": _public(task),
        "start_type": kind,
        "source": endpoints[task["SourceEndpointArn"]],
        "target": endpoints[task["TargetEndpointArn"]],
        "folder": str(folder),
    }
    file = folder / "task.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(document, default=str))
    command = setting("dms_capture")
    argv = json.loads(command) if isinstance(command, str) else command
    named = {"{task}": str(file), "{folder}": str(folder)}
    environment = {**environment_of_account(), "FAKE_DMS_TASK": str(file)}
    return Child([named.get(word, word) for word in argv], environment, folder)


def stop_replication_task(request: Request) -> Answer:
    task = _task(request["ReplicationTaskArn"])
    if task["Status"] != "running":
        raise Refusal(
            "InvalidResourceStateFault",
            f"Replication Task cannot be stopped, invalid state: {task['Status']}",
        )
    capture: Child | None = task["_capture"]
    if capture is not None:
        capture.stop()
    task["Status"] = "stopping"
    stopped = {
        "Status": "stopped",
        "StopReason": "Stop Reason NORMAL",
        "ReplicationTaskStopDate": time.time(),
    }
    task["_later"] = [(due(), stopped)]
    return {"ReplicationTask": _public(task)}


def reload_tables(request: Request) -> Answer:
    task = _task(request["ReplicationTaskArn"])
    if task["Status"] != "running":
        raise Refusal(
            "InvalidResourceStateFault",
            f"Tables cannot be reloaded, the task is in state: {task['Status']}",
        )
    known = {(row["SchemaName"], row["TableName"]) for row in _statistics(task)}
    for table in request["TablesToReload"]:
        name = (table["SchemaName"], table["TableName"])
        if name not in known:
            raise Refusal("ResourceNotFoundFault", f"Table {'.'.join(name)} is not in the task")
        task["_reloaded_at"][name] = due()
        task["_loads_began"][name] = time.time()
        if task["_capture"] is not None:
            control = Path(task["_folder"]) / "control"
            control.mkdir(exist_ok=True)
            (control / f"{_RELOAD}.{name[1]}").touch()
    return {"ReplicationTaskArn": request["ReplicationTaskArn"]}


def describe_table_statistics(request: Request) -> Answer:
    task = _task(request["ReplicationTaskArn"])
    answer = _listing(
        request,
        _statistics(task) if task["_was_started"] else (),
        "TableStatistics",
        {"schema-name": "SchemaName", "table-name": "TableName", "table-state": "TableState"},
    )
    return {"ReplicationTaskArn": task["ReplicationTaskArn"], **answer}


def _statistics(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Give a row for each table: what the local capture says of it, else a small loaded table."""
    counted = _capture_state(task)
    rows = []
    for schema, table in _tables(task):
        asked = Path(task.get("_folder", "")) / "control" / f"{_RELOAD}.{table}"
        reloading = task["_reloaded_at"].get((schema, table), 0) > time.time() or asked.exists()
        known = counted.get(f"{schema}.{table}", {})
        loaded = known.get("is_loaded", not counted)
        state = "Table completed" if loaded and not reloading else "Full load"
        rows.append(
            {
                "SchemaName": schema,
                "TableName": table,
                "TableState": "Table is being reloaded" if reloading else state,
                "FullLoadStartTime": task["_loads_began"].get(
                    (schema, table), task["ReplicationTaskStartDate"]
                ),
                "FullLoadRows": known.get("load_rows", 0 if counted else 10),
                "Inserts": known.get("inserts", 0),
                "Updates": known.get("updates", 0),
                "Deletes": known.get("deletes", 0),
                "LastUpdateTime": time.time(),
            }
        )
    return rows


def _tables(task: dict[str, Any]) -> list[tuple[str, str]]:
    many = setting("dms_tables")
    if many is not None:
        return [("public", f"t{number}") for number in range(int(many))]
    rules = json.loads(task["TableMappings"]).get("rules", ())
    selected = [
        rule["object-locator"]
        for rule in rules
        if rule.get("rule-type") == "selection" and rule.get("rule-action") != "exclude"
    ]
    return [
        (locator["schema-name"], locator["table-name"])
        for locator in selected
        if "%" not in locator["schema-name"] + locator["table-name"]
    ]


def _capture_state(task: dict[str, Any]) -> dict[str, Any]:
    file = Path(task.get("_folder", "")) / "capture-state.json"
    if "_folder" not in task or not file.exists():
        return {}
    try:
        tables: dict[str, Any] = json.loads(file.read_text()).get("tables", {})
    except ValueError:
        return {}
    return tables


def add_tags_to_resource(request: Request) -> Answer:
    arn = request["ResourceArn"]
    tags[arn] = {
        **tags.get(arn, {}),
        **{tag["Key"]: tag.get("Value", "") for tag in request["Tags"]},
    }
    return {}


def remove_tags_from_resource(request: Request) -> Answer:
    kept = tags.get(request["ResourceArn"], {})
    tags[request["ResourceArn"]] = {k: v for k, v in kept.items() if k not in request["TagKeys"]}
    return {}


def list_tags_for_resource(request: Request) -> Answer:
    arns = request.get("ResourceArnList") or [request.get("ResourceArn", "")]
    return {
        "TagList": [
            {"Key": key, "Value": value, "ResourceArn": arn}
            for arn in arns
            for key, value in tags.get(arn, {}).items()
        ]
    }


def describe_account_attributes(request: Request) -> Answer:
    used = {"ReplicationInstances": len(instances), "Endpoints": len(endpoints)}
    limits = {"ReplicationInstances": 60, "Endpoints": 1000}
    return {
        "AccountQuotas": [
            {"AccountQuotaName": name, "Used": used[name], "Max": limits[name]} for name in limits
        ]
    }


def describe_orderable_replication_instances(request: Request) -> Answer:
    classes = ("dms.t3.medium", "dms.c6i.large", "dms.r6i.large", "dms.r6i.xlarge")
    offered = [
        {
            "EngineVersion": version,
            "ReplicationInstanceClass": name,
            "StorageType": "gp2",
            "MinAllocatedStorage": 5,
            "MaxAllocatedStorage": 6144,
            "DefaultAllocatedStorage": 50,
        }
        for version in _ENGINE_VERSIONS
        for name in classes
    ]
    return _listing(request, offered, "OrderableReplicationInstances", {})


def describe_engine_versions(request: Request) -> Answer:
    versions = [{"Version": version, "ReleaseStatus": "prod"} for version in _ENGINE_VERSIONS]
    return _listing(request, versions, "EngineVersions", {})


def describe_events(request: Request) -> Answer:
    return {"Events": []}


def describe_pending_maintenance_actions(request: Request) -> Answer:
    return {"PendingMaintenanceActions": []}


def describe_replication_instance_task_logs(request: Request) -> Answer:
    arn = request["ReplicationInstanceArn"]
    _found(instances, arn, "Replication instance")
    return {"ReplicationInstanceArn": arn, "ReplicationInstanceTaskLogs": []}


OPERATIONS: dict[str, Callable[[Request], Answer]] = {
    "".join(word.capitalize() for word in operation.__name__.split("_")): operation
    for operation in (
        create_replication_subnet_group,
        modify_replication_subnet_group,
        delete_replication_subnet_group,
        describe_replication_subnet_groups,
        create_replication_instance,
        modify_replication_instance,
        delete_replication_instance,
        describe_replication_instances,
        create_endpoint,
        modify_endpoint,
        delete_endpoint,
        describe_endpoints,
        test_connection,
        delete_connection,
        describe_connections,
        create_replication_task,
        modify_replication_task,
        delete_replication_task,
        describe_replication_tasks,
        start_replication_task,
        stop_replication_task,
        reload_tables,
        describe_table_statistics,
        add_tags_to_resource,
        remove_tags_from_resource,
        list_tags_for_resource,
        describe_account_attributes,
        describe_orderable_replication_instances,
        describe_engine_versions,
        describe_events,
        describe_pending_maintenance_actions,
        describe_replication_instance_task_logs,
    )
}


def _refuse(request: Request) -> Answer:
    raise Refusal("InvalidAction", "this fake of DMS does not know the operation")


async def handle(
    method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
) -> Response:
    """Answer a request of the JSON protocol."""
    name = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
    return answered(OPERATIONS.get(name, _refuse), body)
