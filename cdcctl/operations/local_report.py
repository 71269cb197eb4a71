"""How the local stack is, and what is wrong with it: read from what its processes last wrote."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdcctl.local.capture_state import read_document
from cdcctl.local.layout import StackDirectory
from cdcctl.local.stack import is_supervised
from cdcctl.local.supervisor import Phase, read_state
from cdcctl.operations.problem import Problem, quarantine_problems
from glue_job.contract.loader import hash_of


@dataclass(frozen=True)
class ChildReport:
    """One process of the stack."""

    name: str
    state: str
    pid: int | None
    restarts: int
    log: str
    problem: dict[str, Any] | None = None


@dataclass(frozen=True)
class CaptureReport:
    """What the capture says of one table; re-deliveries count again."""

    table: str
    topic: str
    is_loaded: bool
    load_rows: int
    inserts: int
    updates: int
    deletes: int
    job: dict[str, Any] = field(default_factory=dict)
    problem: Problem | None = None
    """What at the source keeps it from being captured."""


@dataclass(frozen=True)
class StackReport:
    """How the stack is."""

    directory: Path
    phase: str
    is_up: bool
    was_up: bool = False
    """Whether `up` found it up, or `status` found what a killed stack left behind."""
    config: str = ""
    config_hash: str = ""
    postgres: dict[str, Any] = field(default_factory=dict)
    kafka: dict[str, Any] = field(default_factory=dict)
    lake: str = ""
    children: tuple[ChildReport, ...] = ()
    tables: tuple[CaptureReport, ...] = ()
    warnings: tuple[str, ...] = ()
    config_problems: tuple[Problem, ...] = ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Give what is wrong with the processes, the config and the tables."""
        if not self.is_up:
            return ()
        return (
            *(problem for child in self.children for problem in _of_child(child)),
            *self.config_problems,
            *(problem for table in self.tables for problem in _of_table(table)),
        )

    @property
    def is_healthy(self) -> bool:
        """Tell whether every process is ready."""
        all_ready = all(child.state == "ready" for child in self.children)
        return self.is_up and self.phase == Phase.READY and all_ready


def read_report(stack: StackDirectory, was_up: bool = False) -> StackReport:
    """Tell how a stack is, from what its supervisor and its processes last wrote."""
    is_up = is_supervised(stack)
    state = read_state(stack.state)
    stale = not is_up and state.get("phase") not in {None, Phase.STOPPED}
    warnings = []
    if stale:
        warnings.append(
            "the stack was killed, or the machine was restarted: its data is kept, "
            "`cdcctl local up` goes on"
        )
    capture = read_document(stack.capture)
    children = tuple(
        _child(name, child, capture, is_up) for name, child in state.get("children", {}).items()
    )
    return StackReport(
        directory=stack.root,
        phase=state.get("phase", Phase.STARTING) if is_up else Phase.STOPPED,
        is_up=is_up,
        was_up=was_up or stale,
        config=state.get("config", ""),
        config_hash=state.get("config_hash", ""),
        postgres=state.get("postgres", {}) if is_up else {},
        kafka=state.get("kafka", {}) if is_up else {},
        lake=str(stack.lake),
        children=children,
        tables=_tables(stack, state.get("tables", {}), capture.get("tables", {})),
        warnings=tuple(warnings),
        config_problems=_of_config(state.get("config", ""), state.get("config_hash", "")),
    )


def _of_child(child: ChildReport) -> list[Problem]:
    problem = child.problem
    if problem is None:
        return []
    name = "" if child.name in problem["what"] else child.name
    said = ": ".join(part for part in (name, problem["what"], problem["why"]) if part)
    return [Problem(said, problem["fix"] or f"cdcctl logs {child.name} --local")]


def _of_config(file: str, running: str) -> tuple[Problem, ...]:
    """Compare the config that the stack was started with to what its file holds now."""
    if not file:
        return ()
    try:
        now = hash_of(Path(file).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return (Problem(f"the config {file} cannot be read any more", "put it back"),)
    if now == running:
        return ()
    return (
        Problem(
            f"{Path(file).name} has changed since the stack was started: it runs the old one"
            f" ({running[:6]}, now {now[:6]})",
            "cdcctl local down, then cdcctl local up",
        ),
    )


def _of_table(table: CaptureReport) -> list[Problem]:
    job, name = table.job, table.table.partition(".")[2]
    source = [] if table.problem is None else [table.problem]
    standing = [Problem(f"{name}: {each['text']}", each["fix"]) for each in job.get("problems", ())]
    refused = job.get("outcomes", {}).get("quarantined", 0)
    return (
        source
        + standing
        + quarantine_problems(name, refused, job.get("rows", 0), option=" --local")
    )


def _child(name: str, child: dict[str, Any], capture: dict[str, Any], is_up: bool) -> ChildReport:
    state, problem = child["state"] if is_up else "stopped", child["problem"]
    if (name, state, capture.get("state")) == ("capture", "ready", "waiting"):
        # The process lives, and waits for a server or for something that an operator must mend.
        state = "waiting"
        problem = {
            "what": "the capture cannot go on yet",
            "why": capture["problem"],
            "fix": capture.get("fix", ""),
            "lines": [],
            "log": child["log"],
        }
    return ChildReport(
        name=name,
        state=state,
        pid=child["pid"] if is_up else None,
        restarts=child["restarts"],
        log=child["log"],
        problem=problem,
    )


def _tables(
    stack: StackDirectory, captured: dict[str, str], told: dict[str, Any]
) -> tuple[CaptureReport, ...]:
    job = read_state(stack.job_state)
    return tuple(
        _table(name, topic, told.get(name, {}), job.get(name.partition(".")[2], {}))
        for name, topic in captured.items()
    )


def _table(name: str, topic: str, told: dict[str, Any], job: dict[str, Any]) -> CaptureReport:
    problem = told.get("problem")
    return CaptureReport(
        table=name,
        topic=topic,
        is_loaded=bool(told.get("is_loaded")),
        load_rows=told.get("load_rows", 0),
        inserts=told.get("inserts", 0),
        updates=told.get("updates", 0),
        deletes=told.get("deletes", 0),
        job=job,
        problem=Problem(problem, told.get("fix", "")) if problem else None,
    )
