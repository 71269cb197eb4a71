"""Brings the Glue catalog in line with tables.yaml, so that Athena reads every lake table."""

from __future__ import annotations

from cdcctl.operations.compiled_upload import Item, SyncReport, ask, compiled
from cdcctl.operations.configuration import LoadedConfig
from cdcctl.operations.target import Target


def sync_catalog(target: Target, config: LoadedConfig, *, dry_run: bool) -> SyncReport:
    """Register each lake table as a native Delta table; a table that is right stays as it is."""
    answer = ask(
        target,
        target.names.table_creator,
        compiled(config, "catalog.json"),
        {
            "database": target.names.glue_database,
            "placeholders": {
                "STACK_NAME": target.stack,
                "AWS_ACCOUNT_ID": target.aws.account,
            },
            "dry_run": dry_run,
        },
    )
    words = {"created": "to create", "updated": "to update", "unchanged": "unchanged"}
    items = tuple(
        Item(name, words[status] if dry_run else status)
        for status in ("created", "updated", "unchanged")
        for name in answer[status]
    )
    return SyncReport("sync-catalog", dry_run, items)
