"""On a terminal what is longer than the screen goes through the pager."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def on_a_terminal(*arguments: str, lines: int, **environment: str) -> list[str]:
    """Run cdcctl on a terminal of 80 columns and give the lines of the screen."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, 80, 0, 0))
    cleared = {
        name: value
        for name, value in os.environ.items()
        if name not in ("CI", "GITHUB_ACTIONS", "NO_PAGER", "PAGER", "LINES", "COLUMNS")
    }
    running = subprocess.Popen(
        [sys.executable, "-m", "cdcctl", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
        env={**cleared, "TERM": "xterm", **environment},
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # Linux says so when the other end is closed
        pass
    finally:
        os.close(ours)
    assert running.wait(timeout=30) == 0, shown
    return shown.decode().splitlines()


# `cat -n` numbers what passes through it.
PAGER = "cat -n"


@pytest.mark.parametrize(
    ("lines", "environment", "is_paged"),
    [
        (10, {"PAGER": PAGER}, True),
        (500, {"PAGER": PAGER}, False),
        (10, {"PAGER": PAGER, "NO_PAGER": "1"}, False),
        (10, {"PAGER": ""}, False),
    ],
)
def test_only_what_is_longer_than_the_screen_is_paged(
    lines: int, environment: dict[str, str], is_paged: bool
) -> None:
    screen = on_a_terminal("rules", lines=lines, **environment)
    assert len(screen) > 10
    assert (screen[0].split()[0] == "1") == is_paged
    assert any("not_null" in line for line in screen)


def test_what_is_piped_is_not_paged() -> None:
    piped = subprocess.run(
        [sys.executable, "-m", "cdcctl", "rules"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PAGER": PAGER},
        check=True,
    )
    assert piped.stdout.split()[0] != "1"
