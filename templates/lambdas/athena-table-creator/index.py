"""Registers the lake's tables in the Glue catalog as native Delta tables, which Athena reads.

Event: {"bucket", "key", "sha256", "database", "placeholders", "dry_run"}.
"""

import json

import boto3
from artefact import Refused, answered, read_artefact

_COMPARED = ("TableType", "Parameters", "StorageDescriptor", "Description")
_PLACEHOLDERS = {"STACK_NAME", "AWS_ACCOUNT_ID"}


def handler(event, context):
    """Answer one event."""
    return answered(lambda: _carry_out(event))


def _carry_out(event):
    placeholders = event.get("placeholders") or {}
    if not set(placeholders) <= _PLACEHOLDERS:
        raise Refused(f"placeholders are {', '.join(sorted(_PLACEHOLDERS))} only")
    artefact = read_artefact(event, boto3.client("s3"))
    glue, database = boto3.client("glue"), event["database"]
    result = {"created": [], "updated": [], "unchanged": []}
    for table in _filled(artefact["tables"], placeholders):
        found = _table(glue, database, table["Name"])
        if found is not None and _same(table, found):
            result["unchanged"].append(table["Name"])
            continue
        if not event.get("dry_run"):
            write = glue.create_table if found is None else glue.update_table
            write(DatabaseName=database, TableInput=table)
        result["created" if found is None else "updated"].append(table["Name"])
    return result


def _filled(tables, placeholders):
    """Put values in after parsing, so that a name can never add a key."""

    def filled(node):
        if isinstance(node, dict):
            return {key: filled(value) for key, value in node.items()}
        if isinstance(node, list):
            return [filled(value) for value in node]
        if isinstance(node, str):
            for name, value in placeholders.items():
                node = node.replace("${" + name + "}", value)
        return node

    return filled(tables)


def _table(glue, database, name):
    try:
        return glue.get_table(DatabaseName=database, Name=name)["Table"]
    except glue.exceptions.EntityNotFoundException:
        return None


def _same(wanted, found):
    return all(_covers(found.get(name), wanted.get(name)) for name in _COMPARED)


def _covers(found, wanted):
    """Tell whether what Glue has agrees with what is wanted; it adds keys of its own."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_covers(found.get(k), v) for k, v in wanted.items())
    return json.dumps(found, sort_keys=True) == json.dumps(wanted, sort_keys=True)
