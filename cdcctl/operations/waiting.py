"""Waits for what AWS does: with a deadline, with jitter, through short failures of the reading."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from cdcctl.aws.errors import AwsError
from cdcctl.errors import CdcctlError, ExitCode

Seen = TypeVar("Seen")


def _scale() -> float:
    return float(os.environ.get("CDCCTL_POLL_SCALE", "1"))


@dataclass(frozen=True)
class Waiting:
    """How long to wait and how often to look; tests give a clock of their own."""

    timeout_seconds: float = 5400.0
    interval_seconds: float = 5.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    scale: float = field(default_factory=_scale)
    """Multiplies every pause (`CDCCTL_POLL_SCALE`); a test against a fast fake makes it small."""
    sign_in: Callable[[], bool] = lambda: False
    """Asks for new credentials when AWS takes the old ones no more; tells whether there are any."""

    def until(
        self,
        read: Callable[[], Seen],
        is_done: Callable[[Seen], bool],
        *,
        what: str,
        again: str,
        seen: Callable[[Seen], None] = lambda _: None,
    ) -> Seen:
        """Read until it is done and give the last reading; `again` is the command that goes on.

        A reading that AWS turns away for a moment is read again, as is one with new credentials,
        which nobody is hurried to give; past the deadline the wait ends with exit code 8 while the
        work on AWS goes on.
        """
        deadline = self.clock() + self.timeout_seconds
        while True:
            try:
                state = read()
            except AwsError as error:
                asked_at = self.clock()
                if error.is_signed_out and self.sign_in():
                    deadline += self.clock() - asked_at
                    continue
                if not error.is_transient or self.clock() >= deadline:
                    raise
            else:
                seen(state)
                if is_done(state):
                    return state
            if self.clock() >= deadline:
                raise CdcctlError(
                    "AWS010",
                    f"{what} has taken longer than {self.timeout_seconds:.0f} s",
                    why="the wait has ended; the work on AWS goes on",
                    fix=again,
                    exit_code=ExitCode.TIMEOUT,
                )
            self.sleep(self.interval_seconds * self.scale * random.uniform(0.8, 1.2))
