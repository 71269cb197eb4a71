"""On a terminal what is longer than the screen goes through the pager."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.terminal import ROOT, on_a_terminal

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
    code, shown = on_a_terminal("rules", lines=lines, **environment)
    assert code == 0, shown
    screen = shown.splitlines()
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
