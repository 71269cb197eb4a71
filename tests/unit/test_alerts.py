"""Alerts: a problem is told once, again after long, and its end; also over a restart."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from glue_job.alerts import PAUSE, REMINDER, Alerts, Problem

NULLS = Problem(
    "check/completeness/vin", "completeness of vin is 0.5, below 0.9", "look", "warning"
)
STREAM = Problem("stream", "does not go on: KFK007", "reload")
CHECKED = {NULLS.key}


@dataclass
class Desk:
    """A clock, a memory and a list of what was sent."""

    now: datetime = datetime(2026, 11, 22, 12, tzinfo=UTC)
    kept: str | None = None
    sent: list[tuple[str, str]] = field(default_factory=list)
    is_reachable: bool = True

    def read(self) -> str | None:
        return self.kept

    def write(self, text: str) -> None:
        self.kept = text

    def send(self, subject: str, text: str) -> None:
        if not self.is_reachable:
            raise TimeoutError("no way to SNS")
        self.sent.append((subject, text))

    def alerts(self) -> Alerts:
        """Start as a new process does."""
        return Alerts("cdcctl demo vehicles", self, self.send, lambda: self.now)

    def wait(self, time: timedelta) -> None:
        self.now += time


def test_a_breach_is_told_once_and_its_end() -> None:
    desk = Desk()
    alerts = desk.alerts()
    for _ in range(3):
        alerts.see([NULLS], CHECKED)
        desk.wait(timedelta(seconds=15))
    assert [each["text"] for each in alerts.standing] == [NULLS.text]
    alerts.see([], CHECKED)
    assert alerts.standing == []
    assert desk.sent == [
        (
            "cdcctl demo vehicles: alert",
            "warning: completeness of vin is 0.5, below 0.9\n  fix: look",
        ),
        (
            "cdcctl demo vehicles: recovered",
            "recovered after 45 s: completeness of vin is 0.5, below 0.9",
        ),
    ]


def test_a_check_that_was_not_measured_has_not_recovered() -> None:
    desk = Desk()
    alerts = desk.alerts()
    alerts.see([NULLS], CHECKED)
    alerts.see([], {"stream"})
    assert len(desk.sent) == len(alerts.standing) == 1


def test_a_restarted_job_neither_repeats_nor_forgets() -> None:
    desk = Desk()
    desk.alerts().see([NULLS], CHECKED)
    again = desk.alerts()
    again.see([NULLS], CHECKED)
    assert len(desk.sent) == 1
    again.see([], CHECKED)
    assert [subject.rpartition(" ")[2] for subject, _ in desk.sent] == ["alert", "recovered"]


def test_one_message_holds_all_that_is_new() -> None:
    desk = Desk()
    desk.alerts().see([NULLS, STREAM], ())
    ((_, text),) = desk.sent
    assert "KFK007" in text
    assert "completeness" in text


def test_a_problem_that_comes_and_goes_is_told_at_most_twice_in_a_pause() -> None:
    desk = Desk()
    alerts = desk.alerts()
    for _ in range(PAUSE // timedelta(seconds=30)):
        alerts.see([NULLS], CHECKED)
        desk.wait(timedelta(seconds=15))
        alerts.see([], CHECKED)
        desk.wait(timedelta(seconds=15))
    assert len(desk.sent) == 2
    desk.wait(PAUSE)
    alerts.see([NULLS], CHECKED)
    assert len(desk.sent) == 3


def test_a_problem_that_came_back_is_told_when_it_stays() -> None:
    desk = Desk()
    alerts = desk.alerts()
    alerts.see([NULLS], CHECKED)
    alerts.see([], CHECKED)
    alerts.see([NULLS], CHECKED)
    assert len(desk.sent) == 2
    desk.wait(PAUSE)
    alerts.see([NULLS], CHECKED)
    assert [subject.rpartition(" ")[2] for subject, _ in desk.sent][2:] == ["alert"]


def test_a_problem_that_stays_for_hours_is_told_again() -> None:
    desk = Desk()
    alerts = desk.alerts()
    alerts.see([STREAM], ())
    desk.wait(REMINDER - timedelta(seconds=1))
    alerts.see([STREAM], ())
    assert len(desk.sent) == 1
    desk.wait(timedelta(seconds=1))
    alerts.see([STREAM], ())
    assert desk.sent[1][1].startswith("error since 2026-11-22 12:00:00 UTC: does not go on")


def test_what_could_not_be_sent_is_sent_after_a_pause() -> None:
    desk = Desk(is_reachable=False)
    alerts = desk.alerts()
    alerts.see([STREAM], ())
    desk.is_reachable = True
    alerts.see([STREAM], ())
    assert desk.sent == []
    desk.wait(PAUSE)
    alerts.see([STREAM], ())
    assert len(desk.sent) == 1


@pytest.mark.parametrize("kept", ["{", "[]", '{"stream": {"text": 1}}'])
def test_a_damaged_memory_does_not_stop_the_job(kept: str) -> None:
    desk = Desk(kept=kept)
    desk.alerts().see([STREAM], ())
    assert len(desk.sent) == 1
