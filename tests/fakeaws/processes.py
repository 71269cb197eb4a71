"""Local processes that stand behind a service: a job's run, a task's capture."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from ministack.core.responses import get_account_id, get_region

_GRACE_SECONDS = 20.0
_started: set[Child] = set()


class Child:
    """One process in a group of its own, so that what it starts ends with it."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self.log = folder / "process.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                list(argv),
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _started.add(self)

    @property
    def exit_code(self) -> int | None:
        """Give the exit code; None while the process lives."""
        code = self._process.poll()
        if code is not None:
            _started.discard(self)
        return code

    @property
    def last_line(self) -> str:
        """Give the last line that the process wrote."""
        lines = self.log.read_text(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def stop(self) -> None:
        """Ask the process to end; kill its group when it does not."""
        if self.exit_code is not None:
            return
        self._signal(signal.SIGTERM)
        threading.Timer(_GRACE_SECONDS, self.kill).start()

    def kill(self) -> None:
        """End the process and what it started."""
        if self.exit_code is None:
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return


def new_folder(purpose: str) -> Path:
    """Make a folder for one process; it goes with the server."""
    return Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=_scratch()))


@cache
def _scratch() -> Path:
    return Path(tempfile.mkdtemp(prefix="fakeaws-"))


def end_all() -> None:
    """End every process that this server started, and remove what they worked on."""
    for child in list(_started):
        child.kill()
    if _scratch.cache_info().currsize:
        shutil.rmtree(_scratch(), ignore_errors=True)


def environment_of_account() -> dict[str, str]:
    """Give the server's environment with the calling account's way back to this fake."""
    return {
        **os.environ,
        "AWS_ACCESS_KEY_ID": get_account_id(),
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": get_region(),
        "AWS_DEFAULT_REGION": get_region(),
    }
