"""What a deploy shows while it works: on a terminal of 80 columns, off one, and as events."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from cdcctl import app
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.cost.estimate import Estimate
from cdcctl.operations.deploy import DeployReport, Plan
from cdcctl.operations.deploy_phases import DeployHeading, phases_of
from cdcctl.operations.plan_file import STEPS
from cdcctl.operations.run_control import StepReport
from cdcctl.operations.stack_clock import SlowResource, StackReading, TimedEvent
from cdcctl.ui import console
from cdcctl.ui.deploy import (
    EventLines,
    say_detached,
    show_plan_data,
    summarise,
    summarise_failure,
)
from cdcctl.ui.deploy_screen import DeployState, drawn
from cdcctl.ui.deploy_watch import DeployLines, DeployScreen, DeployWatch, open_deploy_watch
from cdcctl.ui.output import schema_of
from cdcctl.ui.progress import Progress, open_progress
from tests.unit.faulty_aws import environment, faulty_aws

AT = datetime(2026, 11, 22, 12, 41, 3, tzinfo=UTC)
HEADING = DeployHeading("demo", "123456789012", "us-east-1", phases_of(STEPS))
MADE = TimedEvent(
    "e1", AT, "DbInstance", "AWS::RDS::DBInstance", "CREATE_COMPLETE", "", 612.0, 600.0
)
READING = StackReading(
    (
        SlowResource("MskCluster", "CREATE_IN_PROGRESS", 598.0, 1833.0, is_critical=True),
        SlowResource("ReplicationInstance", "CREATE_IN_PROGRESS", 580.0, 778.0),
    ),
    (17, 28),
)
CHANGES = tuple(
    {"action": "Add", "id": name, "type": kind, "replacement": "", "stateful": False}
    for name, kind in (
        ("DbInstance", "AWS::RDS::DBInstance"),
        ("MskCluster", "AWS::MSK::Cluster"),
        ("ReplicationInstance", "AWS::DMS::ReplicationInstance"),
        ("VpcRole", "AWS::IAM::Role"),
        ("Waiter", "Custom::Waiter"),
    )
)
PLAN = Plan(
    *("demo", "123456789012", "us-east-1", True, "c0de", "c0f1", CHANGES, (), ()),
    cost=Estimate({"brokers": 73.0}, (), "us-east-1", "2026-11-28"),
    cost_before=None,
    minutes=(25, 47),
    beside=("db", "start"),
)


class Clock:
    """A clock that stands until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        """Give the seconds that have passed."""
        return self.now


def seen_on(state: DeployState, width: int = 80) -> list[str]:
    screen = Console(file=io.StringIO(), width=width, color_system=None)
    drawing = drawn(state, width)
    with screen.capture() as caught:
        screen.print(drawing)
    lines = [line.rstrip() for line in caught.get().splitlines()]
    assert all(len(line) <= width for line in lines), lines
    # One that is too long would be folded into two.
    assert len(lines) == len(drawing.renderables), lines
    return lines


def at_work(watch: DeployWatch) -> None:
    """Bring a deploy to where its stack is at work."""
    watch.begin(HEADING)
    watch.phase("package")
    watch.phase("stack")
    watch.planned(PLAN)
    watch.step("stack demo: 5 changes")
    watch.resource(MADE)
    watch.note(READING)
    watch.advance(1, 5)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> DeployScreen:
    monkeypatch.setenv("TZ", "UTC")
    return DeployScreen(Console(file=io.StringIO(), width=80), None)


def test_the_screen_tells_phase_time_left_and_what_all_waits_for(screen: DeployScreen) -> None:
    clock = Clock()
    screen.state = DeployState(clock)
    at_work(screen)
    clock.now = 761.0
    assert seen_on(screen.state) == [
        "demo · us-east-1 · 1234…9012 · create       12:41 / ~17–28 min left  [3/8 stack]",
        "✔ preflight ✔ package ▸ stack 1/5 · db · topics · catalog · start · verify",
        "  iam 0/1  database ✔ 1/1  kafka 0/1  dms 0/1  other 0/1",
        "▸ MskCluster           CREATE_IN_PROGRESS   9:58  usually 30:33  ◄ critical path",
        "▸ ReplicationInstance  CREATE_IN_PROGRESS   9:40  usually 12:58",
        f"last: {AT.astimezone():%H:%M:%S} DbInstance CREATE_COMPLETE (10:12)",
        "Ctrl-C detaches, nothing stops".rjust(80),
    ]


def test_after_the_stack_the_screen_tells_the_step(screen: DeployScreen) -> None:
    clock = Clock()
    screen.state = DeployState(clock)
    at_work(screen)
    screen.phase("start")
    screen.step("testing the source endpoint")
    clock.now = 75.0
    assert seen_on(screen.state)[:3] == [
        "demo · us-east-1 · 1234…9012 · create                          1:15  [7/8 start]",
        "✔ preflight  ✔ package  ✔ stack  ✔ db  ✔ topics  ✔ catalog  ▸ start  · verify",
        "▸ testing the source endpoint  1:15",
    ]
    screen.freeze(has_failed=True)
    assert "✖ start" in seen_on(screen.state)[1]


def test_what_failed_is_told_and_what_is_taken_back_is_not_done(screen: DeployScreen) -> None:
    screen.state = DeployState(Clock())
    at_work(screen)
    long = "You have reached the broker quota of this account in this region,\nand more words"
    brokers = replace(MADE, logical_id="MskCluster", status="CREATE_FAILED", reason=long)
    for event in (
        replace(MADE, logical_id="VpcRole"),
        brokers,
        replace(MADE, logical_id="demo", status="ROLLBACK_IN_PROGRESS"),
        replace(MADE, status="DELETE_COMPLETE"),
        replace(MADE, logical_id="demo", status="ROLLBACK_COMPLETE"),
    ):
        screen.resource(event)
    screen.note(StackReading(()))
    screen.freeze(has_failed=True)
    assert "1234…9012 · rollback  " in seen_on(screen.state)[0]
    assert seen_on(screen.state)[1:] == [
        "✔ preflight ✔ package ✖ stack 1/5 · db · topics · catalog · start · verify",
        "  iam ✔ 1/1  database 0/1  kafka 0/1  dms 0/1  other 0/1",
        "✖ MskCluster  CREATE_FAILED  You have reached the broker quota of this account …",
        f"last: {AT.astimezone():%H:%M:%S} demo ROLLBACK_COMPLETE (10:12)",
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_is_longer_than_the_terminal(screen: DeployScreen, width: int) -> None:
    screen.begin(replace(HEADING, stack="a-stack-with-the-longest-name-there-is"))
    screen.phase("stack")
    long = "AResourceWhoseNameIsLongerThanTheLineHasRoomForIt"
    screen.note(StackReading((replace(READING.slow[0], name=long),), (120, 240)))
    screen.resource(replace(MADE, logical_id=long))
    lines = seen_on(screen.state, width)
    assert any("◄ critical path" in line for line in lines) == (width >= 80)


def test_off_a_terminal_each_step_names_its_phase(capsys: pytest.CaptureFixture[str]) -> None:
    with open_deploy_watch(None) as watch:
        assert isinstance(watch, DeployLines)
        at_work(watch)
        watch.finished(StepReport("stack", "done", "5 changes"))
        assert not watch.sign_in("aws sso login")
    assert capsys.readouterr().err.splitlines() == [
        "stack demo: 5 changes  [3/8 stack]",
        "12:41:03 DbInstance CREATE_COMPLETE",
        "stack: done (5 changes)",
    ]


@pytest.mark.parametrize(
    "opened", [lambda: open_deploy_watch(None), lambda: open_progress(beats=True)]
)
def test_off_a_terminal_a_step_that_waits_for_one_answer_gives_a_sign_of_life(
    opened: Callable[[], AbstractContextManager[Progress]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cdcctl.ui.progress.HEARTBEAT_SECONDS", 0.01)
    said = ""
    with opened() as progress:
        progress.step("testing the source endpoint")
        ends_at = time.monotonic() + 10
        while said.count("testing the source endpoint: at work\n") < 2:
            assert time.monotonic() < ends_at, said
            time.sleep(0.01)
            said += capsys.readouterr().err


def test_events_carry_what_was_taken_and_what_is_usual(
    screen: DeployScreen, capsys: pytest.CaptureFixture[str]
) -> None:
    for watch in (DeployLines(EventLines()), DeployScreen(Console(), EventLines())):
        at_work(watch)
        watch.finished(StepReport("stack", "done"))
        printed = capsys.readouterr()
        assert "CREATE_COMPLETE" not in printed.err
        resource, step = map(json.loads, printed.out.splitlines())
        for line in (resource, step):
            jsonschema.validate(line, schema_of("deploy-event/v1"))
        assert (resource["took_seconds"], resource["usual_seconds"]) == (612.0, 600.0)
        assert step["step"] == "stack"


def test_quiet_says_warnings_and_events_alone(capsys: pytest.CaptureFixture[str]) -> None:
    console.configure(quiet=True)
    try:
        with open_deploy_watch(EventLines()) as watch:
            at_work(watch)
            watch.warn("odd")
    finally:
        console.configure()
    printed = capsys.readouterr()
    assert printed.err == "warning: odd\n"
    assert json.loads(printed.out)["resource"] == "DbInstance"


def test_the_screen_gives_way_to_a_question_and_stays_when_the_deploy_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr(console, "is_animated", lambda: True)
    monkeypatch.setattr(console, "stderr", lambda: terminal)
    assert isinstance(terminal.file, io.StringIO)
    with pytest.raises(ValueError, match="refused"), open_deploy_watch(None) as watch:  # noqa: PT012 - the screen is left by the error
        at_work(watch)
        with watch.paused():
            before = len(terminal.file.getvalue())
            terminal.print("Carry this out?")
            asked = terminal.file.getvalue()[before:]
        raise ValueError("refused")
    assert asked == "Carry this out?\n"
    assert "✖ stack 1/5" in terminal.file.getvalue()[before:]


def test_a_plan_tells_the_time_and_what_stands_beside_the_stack(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_plan_data(PLAN)
    lines = capsys.readouterr().out.splitlines()
    told = ["  then    db, start, each where it is needed", "  time    about 25 to 47 min"]
    assert [line for line in lines if line in told] == told
    show_plan_data(replace(PLAN, minutes=None, beside=()))
    assert capsys.readouterr().out.splitlines() == [line for line in lines if line not in told]


def test_a_plan_is_told_without_asking_aws(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with faulty_aws() as server:
        for name, value in environment(server).items():
            monkeypatch.setenv(name, value)
        server.fails(code="AccessDenied", status=403)
        assert app.run(["plan", "--offline", "--no-start", "-o", "json"]) == 0
        assert server.asked == []
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, schema_of("plan/v1"))
    found = document["data"]
    made = {each["id"] for each in found["changes"]}
    assert {"MskCluster", "GlueJob"} <= made
    assert all(each["action"] == "Add" for each in found["changes"])
    assert (found["stack"], found["account"]) == ("demo", "not asked")
    assert found["minutes"][0] > 15
    assert found["beside"] == ["db", "topics", "catalog", "start"]
    assert app.run(["plan", "--offline", "--out", "plan.json"]) == ExitCode.USAGE
    assert "a change set, which AWS makes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("region", "address"),
    [
        ("eu-central-1", "https://eu-central-1.console.aws.amazon.com/cloudformation/home?region="),
        ("cn-north-1", "https://cn-north-1.console.amazonaws.cn/cloudformation/home?region="),
        ("us-gov-west-1", "https://us-gov-west-1.console.amazonaws-us-gov.com/cloudformation/"),
    ],
)
def test_who_leaves_is_told_the_way_back_and_the_page_of_the_console(
    region: str, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    say_detached("cdcctl deploy --stack demo   attaches to it", replace(HEADING, region=region))
    said = capsys.readouterr().err.splitlines()
    assert said[:2] == [
        "detached: what AWS has begun goes on",
        "  cdcctl deploy --stack demo   attaches to it",
    ]
    assert said[2].startswith(f"  {address}")
    assert said[2].endswith(f"region={region}#/stacks?filteringText=demo")


def test_github_is_given_a_summary_of_the_steps_and_of_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = DeployReport("demo", "c0de", "c0f1", (StepReport("stack", "done", "5 | 6 changes"),))
    error = CdcctlError("CFN020", "the stack demo is ROLLBACK_COMPLETE", "a quota", "ask for more")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    summarise(report)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    summarise(report)
    summarise_failure("demo", error)
    assert (tmp_path / "summary.md").read_text(encoding="utf-8").splitlines() == [
        "### deploy demo: done",
        "",
        "| step | status | detail |",
        "|---|---|---|",
        "| stack | done | 5 \\| 6 changes |",
        "",
        "### deploy demo: CFN020 the stack demo is ROLLBACK_COMPLETE",
        "",
        "|  |  |",
        "|---|---|",
        "| why | a quota |",
        "| fix | ask for more |",
        "",
    ]
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "none" / "summary.md"))
    summarise(report)


@pytest.mark.parametrize(
    ("steps", "phases"),
    [
        (("infra",), ("preflight", "package", "stack", "verify")),
        (("code",), ("package", "stack", "start", "verify")),
        (("db", "start"), ("package", "db", "start", "verify")),
    ],
)
def test_the_phases_are_those_of_the_chosen_steps(
    steps: tuple[str, ...], phases: tuple[str, ...]
) -> None:
    assert phases_of(steps) == phases
