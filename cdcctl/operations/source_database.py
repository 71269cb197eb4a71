"""Brings the source in line with tables.yaml: makes tables and adds columns, never more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cdcctl.compile.artefacts import ddl_artefact
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.compiled_upload import Item, SyncReport, ask, compiled
from cdcctl.operations.configuration import LoadedConfig
from cdcctl.operations.target import Target


def bootstrap_db(
    target: Target, config: LoadedConfig, *, dry_run: bool, allow_breaking: bool = False
) -> SyncReport:
    """Compare the source with the config, and make what is missing in one transaction."""
    file = compiled(config, "ddl.json")
    function = target.names.sql_runner
    state = ask(target, function, file, {"action": "inspect"})
    wanted = ddl_artefact(config.pipeline)
    breaking = list(breaking_differences(wanted, state["tables"]))
    if breaking and not allow_breaking:
        raise CdcctlError(
            "DB010",
            "the source has tables that tables.yaml contradicts",
            why="; ".join(breaking),
            fix="set tables.yaml right, or migrate the table by hand; --allow-breaking goes on"
            " and leaves these columns as they are",
            exit_code=ExitCode.CONFIG,
        )
    done = (
        state if dry_run else ask(target, function, file, {"action": "apply_ddl", "dry_run": False})
    )
    changed = tuple(Item(each["name"], each["status"]) for each in done["statements"])
    touched = {item.name.split()[-1].partition(".")[0] for item in changed}
    same = tuple(
        Item(f"table {name}", "unchanged") for name in state["tables"] if name not in touched
    )
    statements = tuple(f"{each['sql']};" for each in done["statements"])
    warnings = (*_of_server(state), *(f"left as it is: {each}" for each in breaking))
    return SyncReport("bootstrap-db", dry_run, (*changed, *same), warnings, statements)


def breaking_differences(wanted: dict[str, Any], found: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Name what no additive statement can mend: types, keys, columns that the config drops."""
    for table in wanted["tables"]:
        held = found.get(table["name"])
        if held is None:
            continue
        name = table["name"]
        columns = {column["name"]: column for column in held["columns"]}
        for column in table["columns"]:
            seen = columns.pop(column["name"], None)
            if seen is not None and seen["type"] != column["type"]:
                yield f"{name}.{column['name']} is {seen['type']}, not {column['type']}"
            if seen is None and not column["nullable"]:
                yield f"{name}.{column['name']} is new and not null: rows that are there have none"
        for left in columns:
            yield f"{name}.{left} is not in tables.yaml"
        if held["primary_key"] != table["primary_key"]:
            key = ", ".join(held["primary_key"]) or "missing: DMS ignores updates and deletes"
            yield f"the primary key of {name} is {key}, not {', '.join(table['primary_key'])}"


def _of_server(state: dict[str, Any]) -> Iterator[str]:
    if state["wal_level"] != "logical":
        yield (
            f"wal_level is {state['wal_level']}, not logical: set rds.logical_replication=1 and"
            " restart the database, or DMS captures no change"
        )
    for name, table in state["tables"].items():
        if table["identity"] == "n":
            yield f"{name} has REPLICA IDENTITY NOTHING: updates and deletes carry no key"
