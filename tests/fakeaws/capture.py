"""What stands behind a DMS task: the local capture, told by the task what to do.

It reads the file named by FAKE_DMS_TASK and asks the fake for secrets, as DMS asks AWS.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import boto3

from cdcctl.local import capture
from cdcctl.local.capture_state import FILE

Document = dict[str, Any]


def main() -> int:
    """Run the capture until the task is stopped."""
    document = json.loads(Path(os.environ["FAKE_DMS_TASK"]).read_text(encoding="utf-8"))
    folder = Path(document["folder"])
    if document["start_type"] == "reload-target":
        (folder / FILE).unlink(missing_ok=True)
    os.environ.setdefault("TZ", "UTC")
    return capture.main(arguments_of(document, folder))


def arguments_of(document: Document, folder: Path) -> list[str]:
    """Spell a task as the capture's command line; passwords go into files."""
    source = _login(document["source"])
    kafka = document["target"]["KafkaSettings"]
    tables = [
        word
        for name, topic in _topics(document["task"]).items()
        for word in ("--table", f"{name}={topic}")
    ]
    identifier = document["task"]["ReplicationTaskIdentifier"]
    return [
        *("--postgres", f"{source['host']}:{source['port']}"),
        *("--database", document["source"]["DatabaseName"]),
        *("--user", source["username"]),
        *("--postgres-password-file", _kept(folder / "postgres", source["password"])),
        *("--bootstrap-servers", kafka["Broker"]),
        *("--sasl-username", kafka["SaslUsername"]),
        *("--sasl-password-file", _kept(folder / "kafka", kafka["SaslPassword"])),
        *("--directory", str(folder)),
        *("--slot", identifier.replace("-", "_")),
        *("--task-id", identifier),
        *tables,
    ]


def _topics(task: Document) -> dict[str, str]:
    """Give the topic of each table, as the object mappings say."""
    return {
        "{schema-name}.{table-name}".format_map(rule["object-locator"]): rule["kafka-target-topic"]
        for rule in json.loads(task["TableMappings"])["rules"]
        if rule["rule-type"] == "object-mapping"
    }


def _login(endpoint: Document) -> Document:
    """Give address and user of the source: the endpoint's own, or those of its secret."""
    secret = endpoint.get("PostgreSQLSettings", {}).get("SecretsManagerSecretId")
    if secret is None:
        return {
            "host": endpoint["ServerName"],
            "port": endpoint["Port"],
            "username": endpoint["Username"],
            "password": endpoint["_password"],
        }
    client = boto3.client("secretsmanager")
    held: Document = json.loads(client.get_secret_value(SecretId=secret)["SecretString"])
    return {**_address(endpoint, secret), **held, **_owner(secret)}


def _owner(secret: str) -> Document:
    """Give the database's owner: the local capture makes publications, DMS's plug-in needs none."""
    databases = boto3.client("rds").describe_db_instances()["DBInstances"]
    managed = [
        each["MasterUserSecret"]["SecretArn"] for each in databases if "MasterUserSecret" in each
    ]
    if not managed or secret in managed:
        return {}
    answer = boto3.client("secretsmanager").get_secret_value(SecretId=managed[0])
    owner: Document = json.loads(answer["SecretString"])
    return {"username": owner["username"], "password": owner["password"]}


def _address(endpoint: Document, secret: str) -> Document:
    """A secret that RDS manages holds no address: its database has it."""
    if "ServerName" in endpoint:
        return {"host": endpoint["ServerName"], "port": endpoint["Port"]}
    for database in boto3.client("rds").describe_db_instances()["DBInstances"]:
        if database.get("MasterUserSecret", {}).get("SecretArn") == secret:
            address = database["Endpoint"]
            return {"host": address["Address"], "port": address["Port"]}
    return {}


def _kept(file: Path, password: str) -> str:
    file.touch(mode=0o600)
    file.write_text(password, encoding="utf-8")
    return str(file)
