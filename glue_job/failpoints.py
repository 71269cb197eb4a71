"""Named points where a test may end the job: `CDCCTL_FAILPOINT=<name>:kill|raise`.

They do nothing unless `CDCCTL_TEST_HOOKS=1`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from glue_job.errors import JobError

WRITES = ("record", "quarantine", "metrics", "ledger", "history")
"""The writes of a batch, in their order."""

POINTS = (
    "batch-start",
    "after-summary",
    *[f"{when}-{write}" for write in WRITES for when in ("before", "after")],
    "batch-end",
    "before-file",
    "after-file",
)
"""`after-summary`: everything is counted, nothing written. `batch-end`: before Spark notes the
batch as done. `before-file`, `after-file`: a message file is begun, and not yet applied."""


class FailpointReached(Exception):
    """A test asked the job to fail here."""


def reach(point: str) -> None:
    """Fail here when the environment asks for it; `<name>@<n>` means the n-th time, from 1."""
    asked = os.environ.get("CDCCTL_FAILPOINT")
    if not asked or os.environ.get("CDCCTL_TEST_HOOKS") != "1":
        return
    name, _, action = asked.partition(":")
    name, _, turn = name.partition("@")
    if name not in POINTS or action not in ("kill", "raise") or not (turn or "1").isdecimal():
        raise JobError(
            code="USE020",
            what=f"CDCCTL_FAILPOINT={asked} names no failpoint",
            why=f"known: {', '.join(POINTS)}; each as <name>:kill or <name>:raise",
            fix="name one of them, or unset CDCCTL_FAILPOINT",
        )
    if name != point:
        return
    _reached[point] = _reached.get(point, 0) + 1
    if _reached[point] != int(turn or "1"):
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise FailpointReached(point)


_reached: dict[str, int] = {}


@contextmanager
def around(write: str) -> Iterator[None]:
    """Surround a write with its two points."""
    reach(f"before-{write}")
    yield
    reach(f"after-{write}")
