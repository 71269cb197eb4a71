"""Small parts of the screens: sparklines, times, progress off a terminal, colour."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import TextColumn
from rich.text import Text

from cdcctl import app
from cdcctl.errors import ExitCode
from cdcctl.operations.moments import moment
from cdcctl.operations.stack_clock import SlowResource, StackReading
from cdcctl.ui import console, tables
from cdcctl.ui.progress import LineProgress, LiveProgress, SilentProgress, open_progress
from cdcctl.ui.tables import Heading
from glue_job.errors import JobError

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
READING = StackReading(
    (SlowResource("MskCluster", "CREATE_IN_PROGRESS", 598.0, 1833.0, is_critical=True),), (16, 27)
)


@pytest.mark.parametrize(
    ("values", "low", "drawn"),
    [
        ([], None, ""),
        ([None], None, ""),
        ([1.0, 8.0], None, "▁█"),
        ([5.0, 5.0], None, "▄▄"),
        ([0.0, 0.0], 0, "▄▄"),
        ([1.0, None, 2.0], 0, "▅ █"),
    ],
)
def test_a_sparkline(values: list[float | None], low: float | None, drawn: str) -> None:
    assert tables.sparkline(values, low=low) == drawn


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=5), "5 s ago"),
        (timedelta(minutes=3), "3 min ago"),
        (timedelta(hours=5), "5 h ago"),
        (timedelta(days=3), "3 d ago"),
    ],
)
def test_an_age(age: timedelta, text: str) -> None:
    assert tables.ago(NOW - age, NOW) == text
    assert tables.ago((NOW - age).replace(tzinfo=None), NOW) == text


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("90s", NOW - timedelta(seconds=90)),
        ("15m", NOW - timedelta(minutes=15)),
        ("2 h", NOW - timedelta(hours=2)),
        ("1w", NOW - timedelta(weeks=1)),
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        ("2026-11-22T10:00:00+02:00", datetime(2026, 11, 22, 8, tzinfo=UTC)),
    ],
)
def test_a_moment(text: str, meant: datetime) -> None:
    assert moment(text, NOW) == meant


@pytest.mark.parametrize("text", ["", "soon", "15", "99999999999w", "-1h"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time; write 15m"):
        moment(text, NOW)


def test_a_table_gives_way_in_its_wide_column_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    headings = (Heading("NAME"), Heading("TEXT", is_wide=True))
    tables.show(tables.table(headings, [("vehicle_telemetry", Text("some words to wrap"))]))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "NAME               TEXT",
        "vehicle_telemetry  some words",
        "                   to wrap",
    ]


def test_nothing_is_coloured_or_animated_off_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert not console.has_color(sys.stdout)
    assert not console.is_animated()
    assert not console.may_ask()
    with open_progress() as progress:
        assert isinstance(progress, LineProgress)
        progress.step("loading [x]")
        progress.advance(1, 2)
        progress.step("done")
    assert capsys.readouterr().err == "loading [x]\ndone\n"


def test_a_long_step_shows_a_sign_of_life(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdcctl.ui.progress.HEARTBEAT_SECONDS", 0.0)
    progress = LineProgress()
    progress.step("loading")
    progress.advance(1200, 5000)
    progress.note(READING)
    progress.advance(7)
    progress.step("more")
    progress.advance(8)
    assert capsys.readouterr().err.splitlines() == [
        "loading",
        "loading: 1,200 of 5,000",
        "loading: 7; MskCluster 9:58, usually 30:33; about 16 to 27 min left",
        "more",
        "more: 8",
    ]


def test_on_a_terminal_what_is_waited_for_stands_below_the_step() -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)
    with Bars(TextColumn("{task.description}", markup=False), console=screen) as bars:
        live = LiveProgress(bars)
        live.step("stack demo: 67 changes")
        live.note(READING)
        shown = [task.description.splitlines() for task in bars.tasks]
        live.close()
    assert shown == [
        [
            "stack demo: 67 changes",
            "  MskCluster 9:58, usually 30:33",
            "  about 16 to 27 min left",
        ]
    ]


def test_quiet_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    console.configure(quiet=True)
    try:
        with open_progress() as progress:
            assert isinstance(progress, SilentProgress)
    finally:
        console.configure()


@pytest.mark.parametrize(("code", "exit_code"), [("CFG101", 3), ("LAK101", 1)])
def test_an_error_of_the_job_is_shown_like_any_other(
    code: str,
    exit_code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def failing() -> None:
        raise JobError(code, "the lake refuses", "why so", "do this")

    monkeypatch.setattr(app, "_root", failing)
    assert app.run(["demo"]) == ExitCode(exit_code)
    assert capsys.readouterr().err == (
        f"error[{code}]: the lake refuses\n  why:  why so\n  fix:  do this\n"
    )


def test_on_github_each_step_is_folded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with open_progress() as progress:
        progress.step("one")
        progress.step("two")
    assert capsys.readouterr().err.splitlines() == [
        "::group::one",
        "::endgroup::",
        "::group::two",
        "::endgroup::",
    ]
