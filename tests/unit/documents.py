"""Holds what a command gives to machines to the JSON Schema that is shipped with it."""

from __future__ import annotations

import json

import jsonschema

from cdcctl.operations.machine_values import plain
from cdcctl.ui.output import Document, schema_of


def hold_to_schema(document: Document, schema: str) -> None:
    """Compare a document, in the envelope it is printed in, with the schema of this name."""
    envelope = {"schema": f"cdcctl/{document.schema}", "data": document.data, "warnings": []}
    jsonschema.validate(json.loads(json.dumps(envelope, default=plain)), schema_of(schema))
