"""Checks of the source database: what DMS needs of it, and what order and values depend on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cdcctl.compile.artefacts import ddl_artefact
from cdcctl.compile.ddl import may_be_toasted, qualified
from cdcctl.operations.configuration import LoadedConfig
from cdcctl.operations.doctor.check import Check, Probe, Verdict, differs
from cdcctl.operations.target import Target
from glue_job.contract.model import Pipeline, Table

_AREA = "source"
_MIN_SENDER_MILLISECONDS = 10_000
_MAX_SENDER_MILLISECONDS = 300_000
State = Mapping[str, Any]
"""What `read_state` of the Lambda sql-runner tells."""


def probe(read: Callable[[], State | None], pipeline: Pipeline) -> Probe:
    """Give the check of a source whose state `read` tells."""
    return Probe(_AREA, "database", lambda: source_checks(read(), pipeline))


def source_checks(state: State | None, pipeline: Pipeline) -> Iterator[Check]:
    """Compare a database with what DMS and the config need."""
    if state is None or "server" not in state:
        seen = "the stack is not there yet" if state is None else "the stack's sql-runner is older"
        yield _finding("database", "unknown", seen, "cdcctl deploy")
        return
    yield from _of_server(state["server"])
    yield from _of_slots(state["slots"], int(state["server"]["max_replication_slots"]))
    schema = pipeline.source_database.schema_name
    wanted = {each["name"]: each for each in ddl_artefact(pipeline)["tables"]}
    for table in pipeline.streamed_tables:
        held = state["tables"].get(table.name)
        if held is None:
            yield _finding(
                f"table {table.name}",
                "fail",
                "it is not there, expected it before DMS loads: the load of the table fails",
                "cdcctl bootstrap-db",
                ("C1",),
            )
            continue
        found = [
            *_of_key(table, held["primary_key"]),
            *_of_identity(schema, table, held["identity"]),
            *_of_columns(table, held["columns"], wanted[table.name]["columns"]),
        ]
        yield from found or [
            _finding(f"table {table.name}", "pass", "key, identity and columns are as needed")
        ]


def _finding(
    name: str, verdict: Verdict, seen: str, fix: str = "", cases: tuple[str, ...] = ()
) -> Check:
    return differs((_AREA, name), verdict, seen, fix, cases)


def _of_server(server: Mapping[str, str]) -> Iterator[Check]:
    level = server["wal_level"]
    if level == "logical":
        yield _finding("wal_level", "pass", "logical")
    else:
        yield _finding(
            "wal_level",
            "fail",
            f"it is {level}, expected logical: DMS captures no change",
            "on RDS set rds.logical_replication=1 and reboot; else wal_level=logical and restart",
            ("C1",),
        )
    senders = int(server["max_wal_senders"])
    if senders == 0:
        yield _finding(
            "max_wal_senders",
            "fail",
            "it is 0, expected at least 1: DMS reads no log",
            "set max_wal_senders and restart the database",
            ("C1",),
        )
    timeout = int(server["wal_sender_timeout"])
    if timeout and not _MIN_SENDER_MILLISECONDS <= timeout < _MAX_SENDER_MILLISECONDS:
        yield _finding(
            "wal_sender_timeout",
            "warn",
            f"it is {timeout} ms, expected 0 or 10000 to 299999: the task loses its connection, and"
            " each return delivers changes again",
            "set wal_sender_timeout to 60000",
            ("C16",),
        )
    if server["max_slot_wal_keep_size"] == "-1":
        yield _finding(
            "max_slot_wal_keep_size",
            "warn",
            "it is unlimited, expected a limit: a stopped task fills the source's disk",
            "set max_slot_wal_keep_size to what the disk can spare",
        )


def _of_slots(slots: Sequence[Mapping[str, Any]], most: int) -> Iterator[Check]:
    lost = [each["name"] for each in slots if each["wal_status"] == "lost"]
    if lost:
        yield _finding(
            "replication slots",
            "fail",
            f"{', '.join(lost)} lost its log, expected all of it: changes are missing",
            "cdcctl reload TABLE --close-missing   for each table",
            ("C24",),
        )
    elif most == 0 or len(slots) >= most:
        has_own = any(each["active"] for each in slots)
        yield _finding(
            "replication slots",
            "warn" if has_own else "fail",
            f"{len(slots)} of {most} are used, expected one to be free unless the task has its own",
            "raise max_replication_slots and restart, or drop a slot that nobody reads",
            ("C1",),
        )
    else:
        yield _finding("replication slots", "pass", f"{len(slots)} of {most} are used")


def _of_key(table: Table, key: Sequence[str]) -> Iterator[Check]:
    wanted = ", ".join(table.primary_key)
    if not key:
        yield _finding(
            f"{table.name}: primary key",
            "fail",
            f"there is none, expected {wanted}: DMS passes over updates and deletes",
            f"ALTER TABLE {table.name} ADD PRIMARY KEY ({wanted})",
            ("C1", "C13"),
        )
    elif list(key) != list(table.primary_key):
        yield _finding(
            f"{table.name}: primary key",
            "fail",
            f"it is {', '.join(key)}, expected {wanted}: a delete fills other columns than the key",
            "set primary_key in tables.yaml right",
            ("C19", "C20", "C21"),
        )


def _of_identity(schema: str, table: Table, identity: str) -> Iterator[Check]:
    alter = f"ALTER TABLE {qualified(schema, table.name)} REPLICA IDENTITY"
    if identity in {"n", "i"}:
        kind = "NOTHING" if identity == "n" else "an index"
        yield _finding(
            f"{table.name}: replica identity",
            "fail",
            f"it is {kind}, expected DEFAULT or FULL: updates and deletes do not carry the key",
            f"{alter} DEFAULT",
            ("C20", "C21"),
        )
        return
    large = [column.name for column in table.schema if may_be_toasted(column)]
    if identity == "d" and large:
        yield _finding(
            f"{table.name}: replica identity",
            "warn",
            f"it is DEFAULT, expected FULL: unchanged large values of {', '.join(large)} may be"
            " absent, or null, in an update",
            f"{alter} FULL",
            ("C7", "C22"),
        )


def _of_columns(
    table: Table, held: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]]
) -> Iterator[Check]:
    types = {each["name"]: each["type"] for each in held}
    for column in wanted:
        name = f"{table.name}.{column['name']}"
        kind = types.pop(column["name"], None)
        if kind is None:
            yield _finding(
                name,
                "fail",
                f"it is not there, expected {column['type']}: the lake never sees a value",
                "cdcctl bootstrap-db   adds it",
                ("C22", "C26"),
            )
        elif kind != column["type"]:
            yield _finding(
                name,
                "fail",
                f"it is {kind}, expected {column['type']}: what does not fit goes to quarantine",
                "set type or source_type in tables.yaml right, or migrate the column",
                ("C28", "C30"),
            )
    if types:
        yield _finding(
            f"{table.name}: columns",
            "warn",
            f"{', '.join(types)} are not in tables.yaml: their values are kept in raw form only",
            "add them to tables.yaml, or leave them out on purpose",
            ("C26",),
        )


def state_of_stack(target: Target, config: LoadedConfig) -> State | None:
    """Have the stack's Lambda look; None when there is no stack."""
    from cdcctl.aws.cloudformation import find_made
    from cdcctl.operations.compiled_upload import ask, compiled

    if find_made(target.aws, target.stack) is None:
        return None
    file = compiled(config, "ddl.json")
    return ask(target, target.names.sql_runner, file, {"action": "inspect"})


def state_of_address(dsn: str, pipeline: Pipeline) -> State:
    """Read a database by its address."""
    from cdcctl.operations.source_catalog import read_state, reading

    with reading(dsn) as cursor:
        return read_state(cursor, pipeline)


def state_of_local_stack(directory: Path, port: int, pipeline: Pipeline) -> State:
    """Read the database of a local stack that is up."""
    from contextlib import closing

    from cdcctl.local.layout import StackDirectory
    from cdcctl.local.postgres import PostgresServer
    from cdcctl.operations.source_catalog import read_state

    server = PostgresServer(StackDirectory(directory), port)
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        return read_state(cursor, pipeline)
