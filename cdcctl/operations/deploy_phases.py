"""The phases of a deploy, in their order."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

PHASES = ("preflight", "package", "stack", "db", "topics", "catalog", "start", "verify")
_BESIDE_THE_STACK = ("db", "topics", "catalog", "start")
_BY_STEP = {"infra": "stack", "code": "stack"}
"""The steps that an operator chooses by another name."""


@dataclass(frozen=True)
class DeployHeading:
    """Where a deploy works, and its phases."""

    stack: str
    account: str
    region: str
    phases: tuple[str, ...]


def phases_of(steps: Collection[str]) -> tuple[str, ...]:
    """Give the phases that the chosen steps need."""
    needed = {"package", "verify", *(_BY_STEP.get(step, step) for step in steps)}
    if "infra" in steps:
        needed.add("preflight")
    if "code" in steps:
        # A job that runs takes new code only when it is started anew.
        needed.add("start")
    return tuple(phase for phase in PHASES if phase in needed)


def beside_the_stack(steps: Collection[str]) -> tuple[str, ...]:
    """Give the phases that see to what CloudFormation does not."""
    return tuple(phase for phase in phases_of(steps) if phase in _BESIDE_THE_STACK)
