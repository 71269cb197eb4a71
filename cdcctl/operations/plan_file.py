"""The reviewed plan: what `plan --out` keeps, and `deploy --plan` carries out as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cdcctl.errors import CdcctlError, ExitCode

_SCHEMA = "cdcctl/plan-file/v1"
_TEXTS = (
    "stack",
    "account",
    "region",
    "code",
    "config",
    "template",
    "stack_id",
    "stack_changed_at",
    "change_set",
)


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
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        if held.pop("schema", None) != _SCHEMA:
            raise ValueError(f"its schema is not {_SCHEMA}")
        plan = ReviewedPlan(**held)
        if not all(isinstance(getattr(plan, name), str) for name in _TEXTS):
            raise ValueError("a field is not a text")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise CdcctlError(
            "CFN034",
            f"{file} is not a plan",
            why=str(error),
            fix=f"cdcctl plan --out {file}   makes one",
            exit_code=ExitCode.USAGE,
        ) from error
    return plan


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
