"""One check of `cdcctl doctor` and how it is carried out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass
from typing import Any, Literal

from cdcctl.errors import CdcctlError, ExitCode

CASES = {
    "C1": "insert and update",
    "C2": "changes out of order",
    "C3": "a late change",
    "C6": "changes of one transaction",
    "C7": "an update that changes nothing",
    "C13": "a late delete",
    "C14": "update and delete in one transaction",
    "C16": "a change delivered twice",
    "C19": "a composite key",
    "C20": "a changed key",
    "C21": "a delete with only its key",
    "C22": "absent as opposed to null",
    "C24": "a reload",
    "C25": "a load and changes of one key",
    "C26": "a column added",
    "C28": "a column retyped",
    "C30": "a value that does not fit",
    "C31": "control records",
    "C32": "a row of another table",
}
"""What history must get right, by the numbers under which findings name it."""
Verdict = Literal["pass", "warn", "fail", "unknown"]
NOT_SET = "not set"
BUDGET_SECONDS = 5.0
"""For every check: they are carried out at once."""


@dataclass(frozen=True)
class Check:
    """What was looked at, what was seen, and what to do about it."""

    area: str
    name: str
    verdict: Verdict
    seen: str
    fix: str = ""
    cases: tuple[str, ...] = ()
    """What of CASES it breaks."""

    def as_document(self) -> dict[str, Any]:
        """Give the check as plain data."""
        return {
            "area": self.area,
            "name": self.name,
            "verdict": self.verdict,
            "seen": self.seen,
            "fix": self.fix,
            "cases": list(self.cases),
        }


def differs(
    place: tuple[str, str], verdict: Verdict, seen: str, fix: str, cases: tuple[str, ...] = ()
) -> Check:
    """Give a finding of an area and a name, with the cases that it breaks in words."""
    broken = ", ".join(f"{case} {CASES[case]}" for case in cases)
    return Check(*place, verdict, f"{seen} (breaks {broken})" if cases else seen, fix, cases)


@dataclass(frozen=True)
class DoctorReport:
    """Every check, in the order in which one would look."""

    checks: tuple[Check, ...]

    @property
    def is_healthy(self) -> bool:
        """Tell whether no check failed; warnings and unknowns do not count."""
        return all(check.verdict != "fail" for check in self.checks)


@dataclass(frozen=True)
class Probe:
    """A check to carry out; `look` gives one finding or several."""

    area: str
    name: str
    look: Callable[[], Check | Iterable[Check]]


def carry_out(probes: Sequence[Probe], budget_seconds: float = BUDGET_SECONDS) -> DoctorReport:
    """Carry out all probes at once; one that cannot look, or not in time, says so in its place."""
    pool = ThreadPoolExecutor(max_workers=len(probes))
    asked = [pool.submit(_look, probe) for probe in probes]
    ends_at = time.monotonic() + budget_seconds
    looked = [
        _in_time(probe, future, ends_at, budget_seconds)
        for probe, future in zip(probes, asked, strict=True)
    ]
    pool.shutdown(wait=False, cancel_futures=True)
    return DoctorReport(tuple(check for found in looked for check in found))


def _in_time(
    probe: Probe, asked: Future[tuple[Check, ...]], ends_at: float, budget_seconds: float
) -> tuple[Check, ...]:
    try:
        return asked.result(timeout=max(0.0, ends_at - time.monotonic()))
    except NotInTime:
        said = f"not checked: no answer within {budget_seconds:g} s"
        return (Check(probe.area, probe.name, "unknown", said, "run it again"),)


def _look(probe: Probe) -> tuple[Check, ...]:
    try:
        found = probe.look()
        return (found,) if isinstance(found, Check) else tuple(found)
    except CdcctlError as error:
        needed = getattr(error, "action", "")
        if needed:
            said = f"not checked: needs {needed}"
            return (Check(probe.area, probe.name, "unknown", said, error.fix),)
        verdict: Verdict = "unknown" if error.exit_code == ExitCode.CREDENTIALS else "fail"
        why = f": {error.why}" if error.why else ""
        return (Check(probe.area, probe.name, verdict, f"{error.what}{why}", error.fix),)
