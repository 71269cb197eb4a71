"""The command lines of README.md with what they print, held to what the tool prints.

A block ```` ```console KIND ```` holds lines `$ cdcctl ...`, each followed by its output.
`CDCCTL_UPDATE_README=1 pytest -n 0 ...` writes what the commands print now into the blocks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from difflib import unified_diff
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
_CHANGING = (
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?"), "TIME"),
    (re.compile(r"\b\d+ (s|min|h|d)\b"), "AGE"),
    (re.compile(r"\b(jr_\w+|[0-9a-f]{6,64})\b"), "ID"),
    (re.compile(r"\b\d+ versions, [0-9,]+ bytes"), "SIZE"),
    (re.compile(r"\b\w+-dbinstance-\w+"), "DATABASE"),
    (re.compile(r"127\.0\.0\.1:\d+"), "ADDRESS"),
    (re.compile(r"\bready +\d+"), "ready PID"),
    (re.compile(r"\b\d+ files of"), "FILES of"),
    (re.compile(r"[▁▂▃▄▅▆▇█]{20,}"), "HOURS"),
    (re.compile(r"\s+"), " "),
)


def hold_to_readme(kind: str, run: Callable[[str], str]) -> None:
    """Run each command of the blocks of a kind, and compare what it prints with the block."""
    blocks = re.compile(rf"(?<=^```console {kind}\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
    text = README.read_text(encoding="utf-8")
    found = blocks.findall(text)
    assert found, f"README.md has no block of {kind}"
    printed = {block: "\n".join(_printed(block, run)) for block in found}
    if os.environ.get("CDCCTL_UPDATE_README"):
        README.write_text(blocks.sub(lambda each: printed[each[0]], text), encoding="utf-8")
        return
    for block, now in printed.items():
        differs = unified_diff(_stable(block), _stable(now), "README.md", "printed", lineterm="")
        assert not (told := "\n".join(differs)), told


def _printed(block: str, run: Callable[[str], str]) -> list[str]:
    lines: list[str] = []
    for command in re.findall(r"^\$ cdcctl (.*)$", block, re.MULTILINE):
        output = run(command.partition("  #")[0])
        lines += [f"$ cdcctl {command}", *(line.rstrip() for line in output.splitlines()), ""]
    return lines


def _stable(text: str) -> list[str]:
    """Give the lines without what is another on each run: times, ages, ids, widths."""
    lines = []
    for line in text.splitlines():
        stable = line.strip()
        for pattern, word in _CHANGING:
            stable = pattern.sub(word, stable)
        lines += [stable] if stable else []
    return lines
