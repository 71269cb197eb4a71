"""Makes the source's tables from a compiled artefact; it runs no SQL that comes with an event.

Event: {"action": "inspect" | "apply_ddl", "bucket", "key", "sha256", "dry_run"}. The artefact lists
schema and tables with the statements that make them; which of them are needed is decided here, from
what the database has, and all run in one transaction.
"""

import json
import os
import re

import boto3
import psycopg2
from artefact import Refused, answered, read_artefact
from psycopg2 import sql
from source_state import read_state

_NAME = r'"(?:[^"]|"")+"'
_ALLOWED = (
    re.compile(rf"CREATE SCHEMA IF NOT EXISTS {_NAME}"),
    re.compile(rf"CREATE TABLE IF NOT EXISTS {_NAME}\.{_NAME} \([^;]*\)", re.DOTALL),
    re.compile(rf"ALTER TABLE {_NAME}\.{_NAME} ADD COLUMN IF NOT EXISTS {_NAME} [^;]+"),
)


def handler(event, context):
    """Answer one event."""
    return answered(lambda: _carry_out(event))


def _carry_out(event):
    action = event.get("action")
    if action not in {"inspect", "apply_ddl"}:
        raise Refused(f"there is no action {action!r}")
    artefact = read_artefact(event, boto3.client("s3"))
    connection = _connect()
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '60s'")
            cursor.execute("SET LOCAL lock_timeout = '5s'")
            state = _state(cursor, artefact)
            needed = _needed(artefact, state)
            if action == "inspect" or event.get("dry_run"):
                return {**state, "statements": [{**each, "status": "planned"} for each in needed]}
            done = _run(cursor, needed)
            _let_dms_in(cursor, artefact["schema"])
            return {**state, "statements": done}
    finally:
        connection.close()


def _state(cursor, artefact):
    return read_state(cursor, artefact["schema"], [each["name"] for each in artefact["tables"]])


def _needed(artefact, state):
    statements = []
    for table in artefact["tables"]:
        found = state["tables"].get(table["name"])
        if found is None:
            statements.append({"name": f"create table {table['name']}", "sql": table["create"]})
            continue
        present = {column["name"] for column in found["columns"]}
        statements += [
            {"name": f"add column {table['name']}.{column['name']}", "sql": column["add"]}
            for column in table["columns"]
            if column["name"] not in present
        ]
    if statements and not state["tables"] and artefact.get("create_schema"):
        statements.insert(0, {"name": "create schema", "sql": artefact["create_schema"]})
    for each in statements:
        if not any(allowed.fullmatch(each["sql"]) for allowed in _ALLOWED):
            raise Refused(f"the artefact's statement for `{each['name']}` is not one that may run")
    return statements


def _run(cursor, statements):
    done = []
    for each in statements:
        try:
            cursor.execute(each["sql"])
        except psycopg2.Error as error:
            said = " ".join(str(error).split())
            raise Refused(f"`{each['name']}` failed, nothing was changed: {said}") from error
        done.append({**each, "status": "done"})
    return done


def _let_dms_in(cursor, schema):
    """Make DMS's user as its secret has it: it may replicate and read, and keep its heartbeat."""
    held = _secret("DMS_SECRET_ARN")
    user, place = sql.Identifier(held["username"]), sql.Identifier(schema)
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (held["username"],))
    verb = sql.SQL("ALTER ROLE" if cursor.fetchone() else "CREATE ROLE")
    password = sql.Literal(held["password"])
    cursor.execute(sql.SQL("{} {} LOGIN PASSWORD {}").format(verb, user, password))
    # On RDS replication is a role to be granted; elsewhere it is an attribute.
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = 'rds_replication'")
    replicates = "GRANT rds_replication TO {}" if cursor.fetchone() else "ALTER ROLE {} REPLICATION"
    cursor.execute(sql.SQL(replicates).format(user))
    for grant in ("USAGE, CREATE ON SCHEMA {}", "SELECT ON ALL TABLES IN SCHEMA {}"):
        cursor.execute(sql.SQL(f"GRANT {grant} TO {{}}").format(place, user))


def _secret(variable):
    client = boto3.client("secretsmanager")
    answer = client.get_secret_value(SecretId=os.environ[variable])
    return json.loads(answer["SecretString"])


def _connect():
    held = _secret("DB_SECRET_ARN")
    try:
        return psycopg2.connect(
            host=os.environ["DB_HOST"],
            port=os.environ["DB_PORT"],
            dbname=os.environ["DB_NAME"],
            user=held["username"],
            password=held["password"],
            sslmode=os.environ["DB_SSLMODE"],
            connect_timeout=10,
            application_name="cdcctl",
        )
    except psycopg2.OperationalError as error:
        raise Refused(f"the database does not answer: {' '.join(str(error).split())}") from error
