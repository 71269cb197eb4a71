"""The reviewed plan: what `plan --out` keeps, and `deploy --plan` carries out as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from cdcctl.errors import CdcctlError, ExitCode

_SCHEMA = "cdcctl/plan-file/v1"
STEPS = ("infra", "code", "db", "topics", "catalog", "start")


@dataclass(frozen=True)
class ReviewedPlan:
    """What was looked at: for what it was made, what it would do, and what was allowed."""

    stack: str
    account: str
    region: str
    code: str
    config: str
    template: str
    stack_id: str
    stack_changed_at: str
    """The stack's last change: after another one the plan no longer holds."""
    change_set: str
    parameters: dict[str, str]
    steps: list[str]
    allow_replace: list[str]
    allow_breaking: bool
    changes: list[dict[str, Any]]
    config_changes: list[dict[str, str]]


def _shape() -> dict[str, Any]:
    """Give what a plan file must look like, as a JSON Schema."""
    text, names = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
    texts = {"type": "object", "additionalProperties": text}
    by_type = {
        "str": text,
        "bool": {"type": "boolean"},
        "list[str]": names,
        "dict[str, str]": texts,
        "list[dict[str, str]]": {"type": "array", "items": texts},
        "list[dict[str, Any]]": {"type": "array", "items": {"type": "object"}},
    }
    properties = {each.name: by_type[str(each.type)] for each in fields(ReviewedPlan)}
    properties["steps"] = {"type": "array", "items": {"enum": list(STEPS)}}
    return {
        "type": "object",
        "required": ["schema", *properties],
        "additionalProperties": False,
        "properties": {"schema": {"const": _SCHEMA}, **properties},
    }


def write_plan(plan: ReviewedPlan, file: Path) -> None:
    """Keep a plan; raise CFN036 where it cannot be written."""
    text = json.dumps({"schema": _SCHEMA, **asdict(plan)}, indent=2, ensure_ascii=False)
    try:
        file.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise CdcctlError(
            "CFN036",
            f"the plan cannot be written to {file}",
            why=error.strerror or str(error),
            fix="name another file with --out",
            exit_code=ExitCode.USAGE,
        ) from error


def read_plan(file: Path) -> ReviewedPlan:
    """Read a plan; raise CFN034 when the file is none."""
    from jsonschema import Draft7Validator
    from jsonschema.exceptions import best_match

    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        fault = best_match(Draft7Validator(_shape()).iter_errors(held))
        if fault is not None:
            place = f"{fault.json_path.removeprefix('$.')}: " if fault.path else ""
            raise ValueError(f"{place}{fault.message[:200]}")
    except (OSError, ValueError, RecursionError) as error:
        raise CdcctlError(
            "CFN034",
            f"{file} is not a plan",
            why=str(error),
            fix=f"cdcctl plan --out {file}   makes one",
            exit_code=ExitCode.USAGE,
        ) from error
    del held["schema"]
    return ReviewedPlan(**held)


def refuse_changed(plan: ReviewedPlan, now: Mapping[str, Any]) -> None:
    """Raise CFN035 when something is not as it was when the plan was made."""
    differ = [name for name, value in now.items() if getattr(plan, name) != value]
    if differ:
        raise CdcctlError(
            "CFN035",
            "the plan no longer holds: " + ", ".join(name.replace("_", " ") for name in differ),
            why="; ".join(f"{name}: {_told(getattr(plan, name), now[name])}" for name in differ),
            fix=f"cdcctl plan --stack {plan.stack} --out FILE   makes one for what is there now",
        )


def _told(then: object, now: object) -> str:
    if isinstance(then, str):
        return f"{then or 'none'} then, {now or 'none'} now"
    return "another than then"
