"""Faulty configs as data: a comment with `^ CODE` below a line says what is found in it, and where.

A case is the text from one `# case:` line to the next; its lines count from there. The caret gives
the column, or the first one when `#^` opens the line; `after` means the position is on that line
but right of the caret's key.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from glue_job.contract.finding import CODES, Finding
from glue_job.contract.loader import load

CASES = Path(__file__).parent / "cases"
EXPECTATION = re.compile(r"#\s*(\^) (CFG\d{3})(?: (warning))?(?: (after))?")
NOT_AS_TEXT = {"CFG001", "CFG002", "CFG004", "CFG007", "CFG009", "CFG050"}
"""Codes of bytes and sizes, and of what is compiled: test_yaml_source.py, test_cli_compile.py."""


@dataclass(frozen=True)
class Case:
    name: str
    text: str
    expected: list[tuple[int, int, str, str]]


def cases() -> Iterator[Case]:
    for file in sorted(CASES.glob("*.txt")):
        for part in re.split(r"^(?=# case: )", file.read_text(encoding="utf-8"), flags=re.M):
            if part:
                yield Case(f"{file.stem}: {part.splitlines()[0][8:]}", part, expectations(part))


def expectations(text: str) -> list[tuple[int, int, str, str]]:
    expected, line_above = [], 0
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        match = EXPECTATION.fullmatch(line)
        if match is None:
            line_above = number
            continue
        column = 1 if match.start(1) == 1 else match.start(1) + 1
        if match[4]:
            column = len(lines[line_above - 1]) + 1
        expected.append((line_above, column, match[2], match[3] or "error"))
    return sorted(expected)


def found(findings: tuple[Finding, ...]) -> list[tuple[int, int, str, str]]:
    return sorted((f.line or 0, f.column or 0, f.code, f.severity) for f in findings)


ALL_CASES = list(cases())


@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.name)
def test_exactly_the_marked_faults_are_found(case: Case) -> None:
    loaded = load(case.text, "tables.yaml")
    assert found(loaded.findings) == case.expected
    has_error = any(severity == "error" for *_, severity in case.expected)
    assert (loaded.pipeline is None) == has_error


def test_every_code_has_a_case() -> None:
    marked = {code for case in ALL_CASES for _, _, code, _ in case.expected}
    assert marked | NOT_AS_TEXT == set(CODES)
