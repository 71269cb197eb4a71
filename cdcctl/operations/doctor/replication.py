"""Checks of the deployed DMS task: settings that order and values of history depend on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cdcctl.aws import dms
from cdcctl.compile.dms import target_settings, task_settings
from cdcctl.operations.doctor.check import Check, Probe
from cdcctl.operations.target import Target
from glue_job.contract.model import Pipeline

_AREA = "replication"


@dataclass(frozen=True)
class Needed:
    """A setting that history needs: where it stands, and what breaks without it."""

    path: tuple[str, ...]
    breaks: str


ENDPOINT = (
    Needed(("IncludeTransactionDetails",), "changes of one transaction lose their order"),
    Needed(("IncludeNullAndEmpty",), "a column set to null keeps its old value"),
    Needed(("UseLargeIntegerValue",), "integers above 16 digits lose digits"),
    Needed(("IncludePartitionValue",), "a key change loses its old key"),
    Needed(("MessageFormat",), "messages are larger than they need be"),
)
TASK = (
    Needed(("BeforeImageSettings", "EnableBeforeImage"), "a key change leaves the old row current"),
    Needed(("TargetMetadata", "BatchApplyEnabled"), "rows are lost on a Kafka target"),
    Needed(("ErrorBehavior", "DataErrorPolicy"), "a row that DMS cannot send is skipped"),
    Needed(("ErrorBehavior", "FailOnNoTablesCaptured"), "an empty task looks like a healthy one"),
)


def probes(target: Target, pipeline: Pipeline) -> tuple[Probe, ...]:
    """Give the checks of the stack's DMS task and its Kafka endpoint."""
    return (Probe(_AREA, "dms task", lambda: _checks(target, pipeline)),)


def _checks(target: Target, pipeline: Pipeline) -> Iterator[Check]:
    task = dms.find_task(target.aws, target.names.replication_task)
    if task is None:
        for name in ("kafka endpoint", "task settings", "table mappings"):
            yield Check(_AREA, name, "unknown", "the stack has no DMS task yet", "cdcctl deploy")
        return
    held = dms.kafka_settings(target.aws, task.target)
    yield _compared("kafka endpoint", ENDPOINT, held, target_settings(pipeline.kafka))
    yield _compared("task settings", TASK, json.loads(task.settings or "{}"), task_settings())
    yield _mappings(target, pipeline, json.loads(task.mappings))


def _mappings(target: Target, pipeline: Pipeline, deployed: Mapping[str, Any]) -> Check:
    captured = {
        rule["object-locator"]["table-name"]
        for rule in deployed.get("rules", ())
        if rule["rule-type"] == "selection"
    }
    missing = [t.name for t in pipeline.streamed_tables if t.name not in captured]
    if not missing:
        return Check(_AREA, "table mappings", "pass", f"{len(captured)} tables are captured")
    return Check(
        _AREA,
        "table mappings",
        "warn",
        f"tables.yaml has tables that DMS does not capture: {', '.join(missing)}",
        f"cdcctl deploy --stack {target.stack}",
    )


def _compared(
    name: str, needed: tuple[Needed, ...], deployed: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Check:
    wrong = [each for each in needed if _at(deployed, each.path) != _at(wanted, each.path)]
    if not wrong:
        return Check(_AREA, name, "pass", f"{len(needed)} settings that history needs are set")
    said = "; ".join(
        f"{'.'.join(each.path)} is {_at(deployed, each.path)}: {each.breaks}" for each in wrong
    )
    return Check(_AREA, name, "fail", said, "cdcctl deploy --only infra,start   sets them")


def _at(settings: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        settings = settings.get(part) if isinstance(settings, Mapping) else None
    return settings
