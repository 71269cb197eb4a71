"""Checks of the deployed DMS task: settings that order and values of history depend on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cdcctl.aws import dms
from cdcctl.compile.dms import source_settings, table_mappings, target_settings, task_settings
from cdcctl.operations.doctor.check import Check, Probe, differs
from cdcctl.operations.target import Target
from glue_job.contract.model import Pipeline

_AREA = "replication"


@dataclass(frozen=True)
class Needed:
    """A setting that history needs: where it stands, what goes wrong without it, in which cases."""

    path: str
    breaks: str
    cases: tuple[str, ...] = ()


SOURCE = (
    Needed("PluginName", "the old values of a changed row are not sent", ("C20", "C22")),
    Needed("FailTasksOnLobTruncation", "a value that is cut arrives as if it were whole", ("C30",)),
    Needed("HeartbeatEnable", "an idle database holds its log back until the disk is full"),
)
ENDPOINT = (
    Needed(
        "IncludeTransactionDetails",
        "changes have no commit time and no place in their transaction",
        ("C2", "C3", "C6", "C14", "C16", "C25"),
    ),
    Needed("IncludeNullAndEmpty", "a column set to null keeps its old value", ("C22",)),
    Needed("UseLargeIntegerValue", "integers above 15 digits lose digits", ("C30",)),
    Needed("IncludeControlDetails", "a change of the table is not told", ("C31",)),
    Needed("IncludeTableAlterOperations", "a change of the table is not told", ("C31",)),
    Needed("NoHexPrefix", "binary values lose the mark by which they are read", ("C30",)),
    Needed("MessageFormat", "messages are larger than they need be"),
)
TASK = (
    Needed("BeforeImageSettings.EnableBeforeImage", "the old row stays current", ("C20",)),
    Needed("BeforeImageSettings.FieldName", "the old row stays current", ("C20",)),
    Needed("BeforeImageSettings.ColumnFilter", "the old row stays current", ("C20",)),
    Needed("TargetMetadata.BatchApplyEnabled", "rows are lost on a Kafka target", ("C1",)),
    Needed("TargetMetadata.ParallelApplyThreads", "changes of a key overtake each other", ("C2",)),
    Needed("TargetMetadata.SupportLobs", "large values are left out", ("C22",)),
    Needed("ErrorBehavior.DataErrorPolicy", "a row that DMS cannot send is skipped", ("C1",)),
    Needed("ErrorBehavior.DataTruncationErrorPolicy", "a value that is cut is sent", ("C30",)),
    Needed("ErrorBehavior.FailOnNoTablesCaptured", "an empty task looks like a healthy one"),
)


def probes(target: Target, pipeline: Pipeline) -> tuple[Probe, ...]:
    """Give the checks of the stack's DMS task and its Kafka endpoint."""
    return (Probe(_AREA, "dms task", lambda: _checks(target, pipeline)),)


def _checks(target: Target, pipeline: Pipeline) -> Iterator[Check]:
    task = dms.find_task(target.aws, target.names.replication_task)
    if task is None:
        for name in ("source endpoint", "kafka endpoint", "task settings", "table mappings"):
            yield Check(_AREA, name, "unknown", "the stack has no DMS task yet", "cdcctl deploy")
        return
    source = dms.endpoint_settings(target.aws, task.source, "PostgreSQLSettings")
    kafka = dms.endpoint_settings(target.aws, task.target, "KafkaSettings")
    yield from _compared("source endpoint", SOURCE, source, source_settings())
    yield from _compared("kafka endpoint", ENDPOINT, kafka, target_settings(pipeline.kafka))
    yield from _compared("task settings", TASK, json.loads(task.settings or "{}"), task_settings())
    yield from _mappings(target, pipeline, json.loads(task.mappings))


def _mappings(target: Target, pipeline: Pipeline, deployed: Mapping[str, Any]) -> Iterator[Check]:
    place, deploy = (_AREA, "table mappings"), f"cdcctl deploy --stack {target.stack}"
    rules = deployed.get("rules", ())
    captured = {
        rule["object-locator"]["table-name"] for rule in rules if rule["rule-type"] == "selection"
    }
    missing = [t.name for t in pipeline.streamed_tables if t.name not in captured]
    if missing:
        yield differs(
            place,
            "warn",
            f"tables.yaml has tables that DMS does not capture: {', '.join(missing)}",
            deploy,
        )
    wanted = {_table(rule): rule for rule in _sent(table_mappings(pipeline)["rules"])}
    wrong = False
    for rule in _sent(rules):
        needed = wanted.get(_table(rule), rule)
        for key, cases in _ROUTE.items():
            if rule.get(key) != needed.get(key):
                wrong = True
                yield differs(
                    place,
                    "fail",
                    f"{key} of {_table(rule)} is {rule.get(key)}, expected {needed.get(key)}",
                    deploy,
                    cases,
                )
    if not missing and not wrong:
        yield Check(*place, "pass", f"{len(captured)} tables are captured")


_ROUTE = {"kafka-target-topic": ("C32",), "mapping-parameters": ("C2", "C20")}
"""Where rows go, and which of them stay in order."""


def _sent(rules: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    return (rule for rule in rules if rule["rule-type"] == "object-mapping")


def _table(rule: Mapping[str, Any]) -> str:
    return str(rule["object-locator"]["table-name"])


def _compared(
    name: str, needed: tuple[Needed, ...], deployed: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Iterator[Check]:
    wrong = [each for each in needed if _at(deployed, each.path) != _at(wanted, each.path)]
    if not wrong:
        yield Check(_AREA, name, "pass", f"{len(needed)} settings that history needs are set")
    for each in wrong:
        yield differs(
            (_AREA, name),
            "fail",
            f"{each.path} is {_at(deployed, each.path)}, expected {_at(wanted, each.path)}:"
            f" {each.breaks}",
            "cdcctl deploy --only infra,start   sets it",
            each.cases,
        )


def _at(settings: Any, path: str) -> Any:
    for part in path.split("."):
        settings = settings.get(part) if isinstance(settings, Mapping) else None
    return settings
