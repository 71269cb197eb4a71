"""Screens of `cdcctl plan` and `cdcctl deploy`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from cdcctl.aws.cloudformation import StackEvent
from cdcctl.errors import CdcctlError
from cdcctl.operations.deploy import DeployReport, Plan
from cdcctl.operations.deploy_phases import DeployHeading
from cdcctl.operations.run_control import StepReport
from cdcctl.operations.stack_clock import TimedEvent
from cdcctl.redaction import redacted
from cdcctl.ui import console, cost, github, output, tables
from cdcctl.ui.output import Document

_SIGNS = {"Add": ("+", "green"), "Modify": ("~", "yellow"), "Remove": ("−", "red")}
_ANEW = {"True": " made anew", "Conditional": " may be made anew"}
_SHOWN = 12


def plan_document(plan: Plan) -> Document:
    """Give the plan for machines."""
    data = {
        "stack": plan.stack,
        "account": plan.account,
        "region": plan.region,
        "code": plan.code_hash,
        "config": plan.config_hash,
        "changes": list(plan.changes),
        "refused": list(plan.refused),
        "config_changes": plan.config_documents,
        "cost": plan.cost.as_document(),
        "cost_before": None if plan.cost_before is None else plan.cost_before.as_document(),
        "minutes": plan.minutes,
        "beside": plan.beside,
    }
    return Document("plan/v1", data, plan.changes)


def show_plan_data(plan: Plan) -> None:
    """Draw the plan as a command's answer."""
    _draw(plan, console.stdout())


def show_plan(plan: Plan) -> None:
    """Draw the plan beside the progress, before the question."""
    if not console.is_quiet():
        _draw(plan, console.stderr())


def _draw(plan: Plan, out: Console) -> None:
    out.print(
        Text(
            f"{plan.stack}  {plan.region}  account {plan.account}  config {plan.config_hash[:6]}"
            f"  code {plan.code_hash[:6]}",
            style="bold",
        )
    )
    if plan.is_empty:
        out.print("nothing would change")
        return
    for change in plan.config_changes:
        out.print(Text(f"  config  {change.kind.name}: {change.text}"))
    counts = {name: sum(each["action"] == name for each in plan.changes) for name in _SIGNS}
    out.print(
        Text(
            f"  stack   {counts['Add']} to add, {counts['Modify']} to change,"
            f" {counts['Remove']} to remove"
        )
    )
    shown = _shown(plan)
    for each in shown:
        sign, style = _SIGNS.get(each["action"], ("?", "dim"))
        anew = _ANEW.get(each["replacement"], "")
        out.print(Text(f"  {sign} {each['id']}  {each['type']}{anew}", style=style))
    if len(plan.changes) > len(shown):
        out.print(Text(f"    and {len(plan.changes) - len(shown)} more", style="dim"))
    if plan.beside:
        out.print(Text(f"  then    {', '.join(plan.beside)}, each where it is needed"))
    if plan.minutes is not None:
        low, high = plan.minutes
        out.print(Text(f"  time    about {low} to {high} min"))
    for logical_id in plan.refused:
        out.print(
            Text(
                f"  ⟲ {logical_id} would be made anew and lose what it holds:"
                f" --allow-replace {logical_id}",
                style="bold red",
            )
        )
    out.print(Text(f"  cost    {cost.a_month(plan.cost, plan.cost_before)}"))
    for line in cost.basis(plan.cost, plan.region):
        out.print(Text(f"          {line}", style="dim"))


def _shown(plan: Plan) -> list[dict[str, Any]]:
    """Give what ends something, however much that is; then changes, then additions."""
    ends: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for each in sorted(plan.changes, key=lambda each: (each["action"] == "Add", each["id"])):
        is_end = each["action"] == "Remove" or each["replacement"] in _ANEW
        (ends if is_end else others).append(each)
    return [*ends, *others[: max(_SHOWN - len(ends), 0)]]


def say_event(event: StackEvent) -> None:
    """Print a state change where no live line shows it."""
    if console.is_quiet() or console.is_animated():
        return
    reason = f"  {event.reason}" if event.reason and event.status.endswith("FAILED") else ""
    sys.stderr.write(f"{event.at:%H:%M:%S} {event.logical_id} {event.status}{reason}\n")


def say_kept(file: Path) -> None:
    """Say how a plan that was kept is carried out."""
    if not console.is_quiet():
        sys.stderr.write(f"kept: cdcctl deploy --plan {file}   carries out exactly this\n")


def say_detached(again: str, heading: DeployHeading | None = None) -> None:
    """Say how to come back to what AWS goes on with, and where it can be looked at."""
    sys.stderr.write(f"detached: what AWS has begun goes on\n  {again}\n")
    if heading is not None:
        sys.stderr.write(f"  {_console_page(heading)}\n")


def _console_page(heading: DeployHeading) -> str:
    """Give the page of AWS's console that lists the stack."""
    by_partition = {"cn": "amazonaws.cn", "us-gov": "amazonaws-us-gov.com"}
    partition = heading.region.rpartition("-")[0].rpartition("-")[0]
    domain = by_partition.get(partition, "aws.amazon.com")
    return (
        f"https://{heading.region}.console.{domain}/cloudformation/home"
        f"?region={heading.region}#/stacks?filteringText={heading.stack}"
    )


class EventLines:
    """Writes what a deploy does as lines of JSON (`deploy-event/v1`), each with its time."""

    def __init__(self) -> None:
        """Begin to count the time."""
        self._began_at = time.monotonic()

    def resource(self, event: TimedEvent) -> None:
        """Write a resource's change of state."""
        self._write(
            "resource",
            at=event.at,
            resource=event.logical_id,
            type=event.type,
            status=event.status,
            reason=event.reason,
            took_seconds=event.took_seconds,
            usual_seconds=event.usual_seconds,
        )

    def step(self, step: StepReport) -> None:
        """Write a finished step."""
        self._write("step", **step.as_document())

    def _write(self, kind: str, **told: Any) -> None:
        elapsed = round(time.monotonic() - self._began_at, 1)
        output.write_lines([{"event": kind, "elapsed_seconds": elapsed, **told}])


def deploy_document(report: DeployReport) -> Document:
    """Give what was done for machines."""
    steps = [step.as_document() for step in report.steps]
    data: dict[str, Any] = {
        "stack": report.stack,
        "code": report.code_hash,
        "config": report.config_hash,
        "changed": report.changed,
        "steps": steps,
    }
    return Document("deploy/v1", data, steps)


def show_deploy(report: DeployReport) -> None:
    """Draw each step and what to do next."""
    for step in report.steps:
        mark = Text("✔ ", style="green") if step.status == "done" else Text("· ", style="dim")
        detail = f"  {step.detail}" if step.detail else ""
        tables.show(Text.assemble(mark, f"{step.step}: {step.status}", (detail, "dim")))
    if not report.changed:
        tables.show("nothing had to change")
    if report.is_detached:
        again = f"cdcctl deploy --stack {report.stack}   attaches to it and does the rest"
        tables.show(Text(f"next: {again}", style="bold"))
        return
    tables.show(Text(f"next: cdcctl status --stack {report.stack}", style="bold"))


def summarise(report: DeployReport) -> None:
    """Put the steps into the summary that GitHub Actions shows."""
    done = "goes on" if report.is_detached else "done" if report.changed else "unchanged"
    github.add_summary(
        f"deploy {report.stack}: {done}",
        ("step", "status", "detail"),
        ((step.step, step.status, step.detail) for step in report.steps),
    )


def summarise_failure(stack: str | None, error: CdcctlError) -> None:
    """Put what failed, why and what mends it into that summary."""
    rows = (("why", redacted(error.why)), ("fix", error.fix), ("where", error.location or ""))
    github.add_summary(
        f"deploy {stack or ''}: {error.code} {redacted(error.what)}",
        ("", ""),
        (row for row in rows if row[1]),
    )


def steps_document(steps: list[StepReport]) -> Document:
    """Give single steps for machines."""
    rows = [step.as_document() for step in steps]
    return Document("steps/v1", {"steps": rows}, rows)


def show_steps(steps: list[StepReport]) -> None:
    """Draw single steps."""
    for step in steps:
        tables.show(f"{step.step}: {step.status}{f' ({step.detail})' if step.detail else ''}")
