"""Transforms of a table: their columns, their order, and what they make of a value."""

from __future__ import annotations

from collections.abc import Iterator

from glue_job.contract.checks.columns import unknown_column
from glue_job.contract.checks.quality import parameter_faults, problem_fault
from glue_job.contract.draft import PipelineDraft, TableDraft
from glue_job.contract.finding import Fault
from glue_job.contract.model import DqRule, Transform
from glue_job.contract.yaml_source import MappingNode, value_place
from glue_job.transforms import TRANSFORMS


def transform_columns_exist(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """A transform's column is in the schema."""
    for node, step in draft.transforms:
        yield from unknown_column(draft, step.column, node, "column", step.type)


def primary_key_stays(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """No transform changes a key: two rows would become one, or a delete find nothing."""
    for node, step in draft.transforms:
        if step.column in draft.table.primary_key:
            message = f"`{step.type}` changes `{step.column}`, which is the primary key"
            help_text = "a key must stay as the source has it"
            yield Fault("CFG029", message, value_place(node, "column"), help_text)


def transforms_have_an_order(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """Two steps of one column with one given `order` leave their sequence to chance."""
    seen: dict[tuple[str, int], Transform] = {}
    for node, step in draft.transforms:
        if "order" not in node:
            continue
        first = seen.setdefault((step.column, step.order), step)
        if first is not step:
            message = f"`{first.id}` and `{step.id}` both change `{step.column}` at {step.order}"
            help_text = "they run as they stand in the file; give them different orders"
            yield Fault("CFG040", message, value_place(node, "order"), help_text, "warning")


def transforms_can_run(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """Each step works on what the steps before it leave, and the last leaves the column's type."""
    running = dict(draft.columns)
    last: dict[str, MappingNode] = {}
    for node, step in sorted(draft.transforms, key=lambda entry: entry[1].order):
        column = running.get(step.column)
        if column is None or step.column in draft.table.primary_key:
            continue
        try:
            built = TRANSFORMS.build(step.type, step.params)
        except ValueError:
            yield from parameter_faults(TRANSFORMS.get(step.type), step.params, node, "type")
            del running[step.column]
            continue
        problems = list(built.problems(draft.table, column))
        for problem in problems:
            yield problem_fault("CFG036", problem, node, "type")
        if problems:
            del running[step.column]
        else:
            running[step.column] = built.columns_after(column)
            last[step.column] = node
    for name, node in last.items():
        end, lake = running.get(name), draft.columns[name]
        if end is not None and end.type != lake.type:
            message = f"`{name}` is {end.type} after this step, but {lake.type} in the schema"
            yield Fault("CFG036", message, value_place(node, "type"), "cast it back, or retype it")


def transforms_keep_the_rules(draft: TableDraft, pipeline: PipelineDraft) -> Iterator[Fault]:
    """What a step stores still satisfies the rules of its column, which saw the value before."""
    if not draft.rules or not draft.transforms:
        return
    rules: dict[str, list[DqRule]] = {}
    for _, rule in draft.rules:
        rules.setdefault(rule.column, []).append(rule)
    for node, step in draft.transforms:
        if step.column in draft.table.primary_key:
            continue
        for rule in rules.get(step.column, ()):
            why = _broken_by(step, rule)
            if why:
                message = f"`{step.id}` stores values that rule `{rule.id}` refuses: {why}"
                help_text = (
                    "rules see the value before transforms; readers of the lake see it after"
                )
                yield Fault("CFG039", message, value_place(node, "type"), help_text, "warning")


def _broken_by(step: Transform, rule: DqRule) -> str:
    """Say which value of a step a rule would refuse; empty when there is none for sure."""
    match step.type, rule.type:
        case "upper" | "lower", "allowed_values":
            changed = getattr(str, step.type)
            values = [each for each in rule.params["values"] if isinstance(each, str)]
            for value in values:
                if changed(value) not in values:
                    return f"`{value}` becomes `{changed(value)}`"
        case "mask_pii" | "hash", "allowed_values":
            return "its values are replaced"
        case "mask_pii" | "hash", "regex" | "email" | "uuid" | "vin" | "castable":
            return "its characters are replaced"
        case "hash", "length":
            longest = rule.params.get("max")
            if longest is not None and longest < 64:
                return "a hash has 64 characters"
        case "default_value", "allowed_values":
            if step.params["value"] not in rule.params["values"]:
                return f"the default `{step.params['value']}` is not among the allowed values"
        case "default_value", "range":
            value, low, high = step.params["value"], rule.params.get("min"), rule.params.get("max")
            if _is_outside(value, low, high):
                return f"the default `{value}` is outside the range"
    return ""


def _is_outside(value: object, low: object, high: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return (isinstance(low, int | float) and value < low) or (
        isinstance(high, int | float) and value > high
    )
