"""Makes the source's tables from a compiled artefact; it runs no SQL that comes with an event.

Event: {"action": "inspect" | "apply_ddl", "bucket", "key", "sha256", "dry_run"}. The artefact lists
schema and tables with the statements that make them; which of them are needed is decided here, from
what the database has, and all run in one transaction.

Event: {"action": "drop_slots"}. Replication slots of this database that nobody reads are dropped.

Event: {"action": "seed", "bucket", "key", "sha256"}. The artefact lists rows, not statements: each
is {"operation": "insert" | "update" | "delete", "table", "key", "values"}, in the transactions they
are committed in. It is taken once: `last` has to be the highest `id` of each table.
"""

import json
import os
import pathlib
import re
import tempfile

import boto3
import psycopg2
from artefact import Refused, answered, read_artefact
from psycopg2 import sql
from source_change import SHAPES, statement
from source_state import read_state

_NAME = r'"(?:[^"]|"")+"'
_ALLOWED = (
    re.compile(rf"CREATE SCHEMA IF NOT EXISTS {_NAME}"),
    re.compile(rf"CREATE TABLE IF NOT EXISTS {_NAME}\.{_NAME} \([^;]*\)", re.DOTALL),
    re.compile(rf"ALTER TABLE {_NAME}\.{_NAME} ADD COLUMN IF NOT EXISTS {_NAME} [^;]+"),
)
_KEYS_TOLD = 1000
"""So many of a table's newest keys are told; a seed changes no row that is older."""


def handler(event, context):
    """Answer one event."""
    return answered(lambda: _carry_out(event))


def _carry_out(event):
    action = event.get("action")
    if action not in {"inspect", "apply_ddl", "drop_slots", "seed"}:
        raise Refused(f"there is no action {action!r}")
    artefact = None
    if action != "drop_slots":
        folder = "seed/" if action == "seed" else "config/"
        artefact = read_artefact(event, boto3.client("s3"), folder)
    connection = _connect()
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '60s'")
            cursor.execute("SET lock_timeout = '5s'")
        if action == "seed":
            return _seed(connection, artefact)
        is_dry = action == "inspect" or event.get("dry_run")
        with connection, connection.cursor() as cursor:
            if action == "drop_slots":
                return _drop_slots(cursor)
            return _define(cursor, artefact, is_dry)
    finally:
        connection.close()


def _define(cursor, artefact, is_dry):
    state = _state(cursor, artefact)
    needed = _needed(artefact, state)
    if is_dry:
        return {**state, "statements": [{**each, "status": "planned"} for each in needed]}
    done = _run(cursor, needed)
    _let_dms_in(cursor, artefact["schema"])
    return {**state, "statements": done}


def _drop_slots(cursor):
    """Drop what would hold the log back for good in a database made from a snapshot of this one."""
    cursor.execute(
        "SELECT slot_name, pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
        " WHERE database = current_database() AND NOT active ORDER BY slot_name"
    )
    return {"dropped": [name for name, _ in cursor.fetchall()]}


def _seed(connection, artefact):
    """Commit the rows transaction by transaction, and tell the newest keys of each table."""
    tables, transactions = artefact["tables"], artefact["transactions"]
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext('cdcctl seed'))")
        if not cursor.fetchone()[0]:
            raise Refused("another seed is being written")
        last = _last(_newest_keys(cursor, artefact))
    if transactions and last != artefact["last"]:
        raise Refused("others have written since the rows were made; nothing of them was written")
    for number, changes in enumerate(transactions, 1):
        try:
            with connection, connection.cursor() as cursor:
                for change in changes:
                    cursor.execute(*_change(artefact["schema"], tables, change))
        except psycopg2.Error as error:
            said = " ".join(str(error).split())
            kept = f"the {number - 1} before it are kept"
            raise Refused(f"transaction {number} failed, {kept}: {said}") from error
    with connection, connection.cursor() as cursor:
        return {"keys": _newest_keys(cursor, artefact)}


def _newest_keys(cursor, artefact):
    keys = {}
    held = read_state(cursor, artefact["schema"], artefact["tables"])["tables"]
    for table, state in held.items():
        if any(column["name"] == "id" for column in state["columns"]):
            newest = sql.SQL("SELECT id FROM {} ORDER BY id DESC LIMIT %s")
            place = sql.Identifier(artefact["schema"], table)
            cursor.execute(newest.format(place), (_KEYS_TOLD,))
            keys[table] = [key for (key,) in cursor.fetchall()]
    return keys


def _last(keys):
    return {table: max(found, default=0) for table, found in keys.items()}


def _change(schema, tables, change):
    operation, table, values = change["operation"], change["table"], change["values"]
    scalars = all(
        value is None or isinstance(value, str | int | float) for value in values.values()
    )
    if operation not in SHAPES or table not in tables or not scalars:
        raise Refused(f"a row of the artefact is not one that may be written: {operation} {table}")
    return statement(schema, change)


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
            **_trusted(),
            connect_timeout=10,
            application_name="cdcctl",
        )
    except psycopg2.OperationalError as error:
        raise Refused(f"the database does not answer: {' '.join(str(error).split())}") from error


def _trusted():
    """Give libpq the root certificate that the stack was given: in a file, as it wants it."""
    if not os.environ.get("DB_CA"):
        return {}
    file = pathlib.Path(tempfile.gettempdir(), "database-ca.pem")
    file.write_text(os.environ["DB_CA"])
    return {"sslrootcert": str(file)}
