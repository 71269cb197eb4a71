"""Runs cdcctl on a terminal of 80 columns, and answers what it asks."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
Reply = str | Callable[[], str]
_OF_THE_CALLER = ("CI", "GITHUB_ACTIONS", "NO_PAGER", "PAGER", "LINES", "COLUMNS")


def on_a_terminal(
    *arguments: str,
    lines: int = 50,
    answers: Sequence[tuple[str, Reply]] = (),
    **environment: str,
) -> tuple[int, str]:
    """Give the exit code and all that was shown; each answer is typed once its question is there.

    A reply that is a function is called then, and gives what is typed.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, 80, 0, 0))
    cleared = {name: value for name, value in os.environ.items() if name not in _OF_THE_CALLER}
    running = subprocess.Popen(
        [sys.executable, "-m", "cdcctl", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
        env={**cleared, "TERM": "xterm", **environment},
    )
    os.close(theirs)
    shown, asked_at = b"", 0
    pending = list(answers)
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
            while pending and pending[0][0].encode() in shown[asked_at:]:
                _, reply = pending.pop(0)
                asked_at = len(shown)
                os.write(ours, f"{reply if isinstance(reply, str) else reply()}\n".encode())
    except OSError:  # Linux says so when the other end is closed
        pass
    finally:
        os.close(ours)
    code = running.wait(timeout=30)
    assert not pending, f"never asked: {pending}\n{shown.decode()}"
    return code, shown.decode()
