"""The rules, transforms and metrics there are, as their classes describe them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any

from cdcctl.errors import CdcctlError, ExitCode
from glue_job.metrics import METRICS, Metric
from glue_job.parameters import Configurable
from glue_job.rules import RULES, Rule
from glue_job.transforms import TRANSFORMS, TransformStep

KINDS = ("rule", "transform", "metric")


@dataclass(frozen=True)
class ParameterEntry:
    """One parameter as the documentation shows it."""

    name: str
    kind: str
    description: str
    is_required: bool
    default: Any


@dataclass(frozen=True)
class ExampleEntry:
    """One executable example: parameters, column type, and lines of (what, values)."""

    params: Mapping[str, Any]
    of: str
    shows: Sequence[tuple[str, Sequence[Any]]]


@dataclass(frozen=True)
class CatalogueEntry:
    """One rule, transform or metric."""

    kind: str
    name: str
    summary: str
    details: str
    parameters: Sequence[ParameterEntry]
    at_least_one: Sequence[str]
    nulls: str | None
    yaml: str
    examples: Sequence[ExampleEntry]

    def as_document(self) -> dict[str, Any]:
        """Give the entry as plain data."""
        document = asdict(self)
        document["examples"] = [
            {"params": dict(example.params), "of": example.of, **dict(example.shows)}
            for example in self.examples
        ]
        return document


def catalogue(name: str | None = None) -> list[CatalogueEntry]:
    """Describe everything, or what is called `name`; CdcctlError when nothing is."""
    entries = [
        *(_describe("rule", cls) for cls in RULES),
        *(_describe("transform", cls) for cls in TRANSFORMS),
        *(_describe("metric", cls) for cls in METRICS),
    ]
    if name is None:
        return entries
    found = [entry for entry in entries if entry.name == name]
    if not found:
        near = get_close_matches(name.lower(), [entry.name for entry in entries], n=1)
        raise CdcctlError(
            "USE020",
            f"there is no rule, transform or metric `{name}`",
            why=f"did you mean `{near[0]}`?" if near else "",
            fix="cdcctl rules   lists them",
            exit_code=ExitCode.NOT_FOUND,
        )
    return found


def markdown(entries: Sequence[CatalogueEntry]) -> str:
    """Give the table of README.md."""
    lines = ["| kind | `type` | parameters | what it does |", "|---|---|---|---|"]
    for entry in entries:
        parameters = ", ".join(
            f"`{parameter.name}`" + ("" if parameter.is_required else "?")
            for parameter in entry.parameters
        )
        # A line of its own in a table cell would end the table, and so would a bare `|`.
        summary = entry.summary.replace("|", "\\|")
        lines.append(f"| {entry.kind} | `{entry.name}` | {parameters} | {summary} |")
    return "\n".join(lines) + "\n"


def spell(value: Any) -> str:
    """Write a value of an example as YAML has it, on one line."""
    if value is None:
        return "null"
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False)


def spell_params(params: Mapping[str, Any]) -> str:
    """Write parameters as one YAML flow mapping."""
    inside = ", ".join(f"{name}: {_spell_nested(value)}" for name, value in params.items())
    return f"{{{inside}}}"


def _spell_nested(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_spell_nested, value))}]"
    if isinstance(value, str):
        # Single quotes leave the backslashes of a pattern alone.
        return "'" + value.replace("'", "''") + "'"
    return spell(value)


def _describe(kind: str, cls: type[Configurable]) -> CatalogueEntry:
    summary, _, details = inspect.cleandoc(cls.__doc__ or "").partition("\n")
    examples = _examples(cls)
    return CatalogueEntry(
        kind=kind,
        name=cls.type,
        summary=summary,
        details=_paragraphs(details),
        parameters=[
            ParameterEntry(name, param.kind, param.description, param.required, param.default)
            for name, param in cls.params
        ],
        at_least_one=cls.params.at_least_one,
        nulls=cls.nulls if issubclass(cls, Rule) else None,
        yaml=_yaml(cls, examples[0].params),
        examples=examples,
    )


def _paragraphs(text: str) -> str:
    """Give each paragraph of a docstring as one line; who shows it breaks the lines."""
    return "\n\n".join(" ".join(part.split()) for part in text.strip().split("\n\n"))


def _yaml(cls: type[Configurable], params: Mapping[str, Any]) -> str:
    given = f", params: {spell_params(params)}" if params else ""
    if issubclass(cls, Metric):
        column = ", column: the_column" if cls.needs_column else ""
        threshold = 0.95 if cls.is_share else 1
        return f"- {{metric: {cls.type}{column}{given}, threshold: {threshold}, severity: warning}}"
    if issubclass(cls, TransformStep):
        return f"- {{id: tx_001, type: {cls.type}, column: the_column{given}, order: 1}}"
    return f"- {{id: dq_001, type: {cls.type}, column: the_column{given}, severity: error}}"


def _examples(cls: type[Configurable]) -> list[ExampleEntry]:
    if issubclass(cls, Rule):
        return [
            ExampleEntry(
                example.params,
                example.of,
                [("accepts", list(example.accepts)), ("rejects", list(example.rejects))],
            )
            for example in cls.examples
        ]
    if issubclass(cls, TransformStep):
        return [
            ExampleEntry(
                step.params,
                step.of,
                [("changes", [list(pair) for pair in step.changes]), ("fails", list(step.fails))],
            )
            for step in cls.examples
        ]
    if issubclass(cls, Metric):
        return [
            ExampleEntry(
                metric.params,
                metric.of,
                [("rows", [dict(row) for row in metric.rows]), ("measured", [metric.measured])],
            )
            for metric in cls.examples
        ]
    raise TypeError(f"{cls.__name__} is neither a rule nor a transform nor a metric")
