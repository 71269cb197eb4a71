"""One check of `cdcctl doctor` and how it is carried out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from cdcctl.errors import CdcctlError, ExitCode

Verdict = Literal["pass", "warn", "fail", "unknown"]
_WORKERS = 8


@dataclass(frozen=True)
class Check:
    """What was looked at, what was seen, and what to do about it."""

    area: str
    name: str
    verdict: Verdict
    seen: str
    fix: str = ""

    def as_document(self) -> dict[str, Any]:
        """Give the check as plain data."""
        return {
            "area": self.area,
            "name": self.name,
            "verdict": self.verdict,
            "seen": self.seen,
            "fix": self.fix,
        }


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


def carry_out(probes: Sequence[Probe]) -> DoctorReport:
    """Carry out all probes at once; one that cannot look says so in its place."""
    with ThreadPoolExecutor(max_workers=_WORKERS) as pool:
        looked = list(pool.map(_look, probes))
    return DoctorReport(tuple(check for found in looked for check in found))


def _look(probe: Probe) -> tuple[Check, ...]:
    try:
        found = probe.look()
    except CdcctlError as error:
        verdict: Verdict = "unknown" if error.exit_code == ExitCode.CREDENTIALS else "fail"
        why = f": {error.why}" if error.why else ""
        return (Check(probe.area, probe.name, verdict, f"{error.what}{why}", error.fix),)
    return (found,) if isinstance(found, Check) else tuple(found)
