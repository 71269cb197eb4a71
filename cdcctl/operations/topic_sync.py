"""Brings the topics in line with tables.yaml."""

from __future__ import annotations

from collections.abc import Sequence

from cdcctl.operations.compiled_upload import Item, SyncReport, ask, compiled
from cdcctl.operations.configuration import LoadedConfig
from cdcctl.operations.target import Target


def sync_topics(
    target: Target,
    config: LoadedConfig,
    *,
    dry_run: bool,
    prune: Sequence[str] = (),
    apply_config: bool = False,
) -> SyncReport:
    """Make missing topics and rights, tell drift; `prune` names topics to remove."""
    answer = ask(
        target,
        target.names.kafka_admin,
        compiled(config, "topics.json"),
        {
            "action": "sync_from_config",
            "dry_run": dry_run,
            "prune": list(prune),
            "apply_config": apply_config,
        },
    )
    set_right = "would be set" if dry_run else "set"
    items = (
        *(Item(name, "to create" if dry_run else "created") for name in answer["created"]),
        *(
            Item(
                each["topic"],
                set_right if apply_config and each["setting"] != "partitions" else "drift",
                f"{each['setting']} is {each['found']}, not {each['wanted']}",
            )
            for each in answer["drift"]
        ),
        *(
            Item(name, "to grant" if dry_run else "granted", "DMS may write, the job everything")
            for name in answer.get("granted", ())
            if name not in answer["created"]
        ),
        *(Item(name, "to remove" if dry_run else "removed") for name in answer["pruned"]),
        *(
            Item(name, "unchanged")
            for name in answer["unchanged"]
            if name not in answer.get("granted", ())
        ),
        *(
            Item(name, "unknown", "no table has it; --prune removes it")
            for name in answer["unknown"]
            if name not in answer["pruned"]
        ),
    )
    return SyncReport("sync-topics", dry_run, items)


def unknown_topics(report: SyncReport) -> tuple[str, ...]:
    """Name the topics that no table has."""
    return tuple(item.name for item in report.items if item.status == "unknown")
