"""What an operator is told: each problem when it begins, when it stays for long, and its end."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

log = logging.getLogger("glue_job.alerts")

PAUSE = timedelta(minutes=15)
"""A problem that comes back so soon after it was told of is told when it still stands then."""
REMINDER = timedelta(hours=4)
"""A problem that stays is told again after so long."""
STREAM = "stream"
"""The key of the problem that a table's stream does not go on."""


def alerts_file(checkpoints: str, table: str) -> str:
    """Name the file beside the checkpoints that keeps what was told of a table."""
    return f"{checkpoints.rstrip('/')}/_alerts/{table}.json"


def utc_now() -> datetime:
    """Give the time of the machine's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Problem:
    """Something that is wrong now; `key` names it within its table."""

    key: str
    text: str
    fix: str
    severity: str = "error"


class Memory(Protocol):
    """Keeps what was told, so that a restarted job neither repeats it nor forgets its end."""

    def read(self) -> str | None:
        """Give what was kept last."""

    def write(self, text: str) -> None:
        """Keep a text in the place of the last."""


@dataclass
class _Known:
    """A problem that stands, or ended lately."""

    text: str
    fix: str
    severity: str
    since: datetime | None = None
    """None: it has ended."""
    told_at: datetime | None = None
    is_told: bool = False
    """That it began was told: only then its end is."""


class Alerts:
    """The problems of one table, and who is told of them."""

    def __init__(
        self,
        title: str,
        memory: Memory,
        send: Callable[[str, str], None],
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Name the table in `title`; `send` takes a subject and a text."""
        self._title = title
        self._memory = memory
        self._send = send
        self._clock = clock
        self._lock = threading.Lock()
        self._kept = memory.read() or "{}"
        try:
            self._known = _read(self._kept)
        except UNREADABLE as error:
            log.warning("%s: what was told before cannot be read: %s", title, error)
            self._known = {}

    @property
    def standing(self) -> list[dict[str, str]]:
        """Give the problems that stand, those of severity `error` first."""
        standing = [
            {
                "text": known.text,
                "fix": known.fix,
                "severity": known.severity,
                "since": known.since.isoformat(),
            }
            for known in list(self._known.values())
            if known.since is not None
        ]
        return sorted(standing, key=lambda each: (each["severity"] != "error", each["since"]))

    def see(self, found: Sequence[Problem], judged: Collection[str]) -> None:
        """Take what is wrong now; a problem whose key was judged and is not found has ended.

        All that is new goes into one message. One that cannot be sent is logged: nothing else is
        to fail with it.
        """
        with self._lock:
            now = self._clock()
            said = [line for problem in found for line in self._begun(problem, now)]
            is_recovery = not said
            ended = set(judged) - {problem.key for problem in found}
            said += [line for key in sorted(ended) for line in self._ended(key, now)]
            if said and not self._tell(said, is_recovery):
                self._tell_again(found, now)
            self._keep(now)

    def _begun(self, problem: Problem, now: datetime) -> list[str]:
        known = self._known.setdefault(
            problem.key, _Known(problem.text, problem.fix, problem.severity)
        )
        known.text, known.fix, known.severity = problem.text, problem.fix, problem.severity
        if known.since is None:
            known.since, known.is_told = now, False
        wait = REMINDER if known.is_told else PAUSE
        if known.told_at is not None and now - known.told_at < wait:
            return []
        since = f" since {known.since:%Y-%m-%d %H:%M:%S} UTC" if known.is_told else ""
        known.is_told, known.told_at = True, now
        return [f"{problem.severity}{since}: {problem.text}", f"  fix: {problem.fix}"]

    def _ended(self, key: str, now: datetime) -> list[str]:
        known = self._known.get(key)
        if known is None or known.since is None:
            return []
        lasted, known.since = now - known.since, None
        if not known.is_told:
            return []
        known.told_at = now
        return [f"recovered after {lasted.total_seconds():.0f} s: {known.text}"]

    def _tell(self, said: list[str], is_recovery: bool) -> bool:
        subject = f"{self._title}: {'recovered' if is_recovery else 'alert'}"
        level = logging.INFO if is_recovery else logging.ERROR
        log.log(level, "%s: %s", subject, "; ".join(line.strip() for line in said))
        try:
            self._send(subject, "\n".join(said))
        except Exception as error:  # noqa: BLE001 - a batch must not fail for a message
            log.warning("%s: not sent: %s", subject, error)
            return False
        return True

    def _tell_again(self, found: Sequence[Problem], now: datetime) -> None:
        """Let what was not sent be told after a pause."""
        for known in (self._known[problem.key] for problem in found):
            if known.told_at == now:
                known.is_told = False

    def _keep(self, now: datetime) -> None:
        """Keep what was told, but for what ended long ago."""
        self._known = {
            key: known
            for key, known in self._known.items()
            if known.since is not None
            or (known.told_at is not None and now - known.told_at < PAUSE)
        }
        text = json.dumps(
            {key: asdict(known) for key, known in self._known.items()}, default=datetime.isoformat
        )
        if text == self._kept:
            return
        try:
            self._memory.write(text)
            self._kept = text
        except Exception as error:  # noqa: BLE001 - as above
            log.warning("%s: what was told is not kept: %s", self._title, error)


def standing_problem(kept: str, key: str) -> Problem | None:
    """Give the problem of a key that stands by what a Memory keeps; raises one of UNREADABLE."""
    known = _read(kept).get(key)
    if known is None or known.since is None:
        return None
    return Problem(key, known.text, known.fix, known.severity)


UNREADABLE = (ValueError, TypeError, KeyError, AttributeError)
"""What a text that Alerts has not written leads to."""


def _read(kept: str) -> dict[str, _Known]:
    return {key: _known(held) for key, held in json.loads(kept).items()}


def _known(held: dict[str, Any]) -> _Known:
    moments = {
        name: None if held[name] is None else datetime.fromisoformat(held[name])
        for name in ("since", "told_at")
    }
    return _Known(**{**held, **moments})
