"""Rules and metrics of a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from glue_job.contract.checks.columns import unknown_column
from glue_job.contract.draft import PipelineDraft, TableDraft
from glue_job.contract.finding import Fault, Place, rules_command
from glue_job.contract.yaml_source import MappingNode, SequenceNode, key_place, value_place
from glue_job.metrics import METRICS
from glue_job.parameters import Configurable, Problem
from glue_job.rules import RULES


def problem_fault(code: str, problem: Problem, node: MappingNode, named_by: str) -> Fault:
    """Place what a rule, transform or metric says about its use."""
    return Fault(
        code,
        problem.message,
        _place(problem, node, named_by),
        problem.help,
        more=rules_command(node[named_by]),
    )


def _place(problem: Problem, node: MappingNode, named_by: str) -> Place:
    key, params = problem.key, node.get("params")
    if key is not None and type(params) is MappingNode and key in params:
        if problem.item is not None and type(params[key]) is SequenceNode:
            return value_place(params[key], problem.item)
        return value_place(params, key)
    if key is not None and key in node:
        return value_place(node, key)
    return value_place(node, named_by)


def parameter_faults(
    cls: type[Configurable], params: Mapping[str, Any], node: MappingNode, named_by: str
) -> list[Fault]:
    """Give what a class cannot accept although its JSON Schema does, such as decimal(39,0)."""
    return [
        problem_fault("CFG018", problem, node, named_by) for problem in cls.params.faults(params)
    ]


def rule_columns_exist(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """A rule's column is in the schema."""
    for node, rule in draft.rules:
        yield from unknown_column(draft, rule.column, node, "column", rule.type)


def rules_can_be_met(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """Each rule works on its column's type and accepts something."""
    for node, rule in draft.rules:
        try:
            built = RULES.build(rule.type, rule.params)
        except ValueError:
            yield from parameter_faults(RULES.get(rule.type), rule.params, node, "type")
            continue
        for problem in built.problems(draft.table, draft.columns.get(rule.column)):
            yield problem_fault("CFG035", problem, node, "type")


def rules_stand_once(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """A check of a column with the same parameters stands once."""
    yield from _repeated(
        "rule",
        (
            (node, "type", (rule.type, rule.column), (rule.params, rule.nulls, rule.operations))
            for node, rule in draft.rules
        ),
    )


def metrics_can_be_measured(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """Each metric has an existing column where it needs one, and a threshold it can reach."""
    for node, check in draft.checks:
        if check.column is not None:
            yield from unknown_column(draft, check.column, node, "column", check.metric)
        column = draft.columns.get(check.column) if check.column is not None else None
        if check.column is not None and column is None:
            continue
        metric = METRICS.build(check.metric, check.params)
        for problem in metric.problems(draft.table, column):
            if problem.key == "predicate" and len(draft.columns) < len(draft.column_nodes):
                continue  # it may name a column whose own fault is reported
            yield problem_fault("CFG037", problem, node, "metric")
        for problem in metric.threshold_problems(check.threshold):
            yield problem_fault("CFG038", problem, node, "metric")


def metrics_stand_once(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """A metric of a column with the same parameters stands once."""
    yield from _repeated(
        "metric",
        (
            (node, "metric", (check.metric, check.column), (check.params,))
            for node, check in draft.checks
        ),
    )


def _repeated(
    noun: str,
    entries: Iterable[tuple[MappingNode, str, tuple[str, str | None], tuple[object, ...]]],
) -> Iterator[Fault]:
    seen: dict[tuple[str, str | None], list[tuple[MappingNode, tuple[object, ...]]]] = {}
    for node, key, name, details in entries:
        others = seen.setdefault(name, [])
        for other, other_details in others:
            if other_details == details:
                line = key_place(other, key).line
                message = f"the same {noun} `{name[0]}` stands in line {line} already"
                yield Fault("CFG046", message, value_place(node, key), "remove one", "warning")
                break
        others.append((node, details))
