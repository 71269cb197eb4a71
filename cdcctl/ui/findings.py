"""Shows findings: for a person, for a terminal's error list, and for CI. No rich: it is slow."""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from cdcctl.operations.validate import ValidateReport
from cdcctl.ui import github
from cdcctl.ui.console import has_color
from glue_job.contract.finding import CODES, Finding
from glue_job.contract.yaml_source import LINE_BREAK

MAX_ANNOTATIONS = 10
"""GitHub shows ten annotations of a step and drops the rest."""
MAX_EXCERPT = 160

_COLORS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "info": "\x1b[1;36m"}
_BLUE, _PLAIN = "\x1b[1;34m", "\x1b[0m"
_SEVERITIES = ("error", "warning", "info")
_GITHUB_WORDS = {"error": "error", "warning": "warning", "info": "notice"}
_SARIF_LEVELS = {"error": "error", "warning": "warning", "info": "note"}


class FindingsFormat(StrEnum):
    """What `validate-config --format` accepts."""

    full = "full"
    concise = "concise"
    json = "json"
    github = "github"
    sarif = "sarif"
    junit = "junit"


def usual_format() -> FindingsFormat:
    """Choose annotations on GitHub, excerpts elsewhere."""
    on_github = os.environ.get("GITHUB_ACTIONS") == "true"
    return FindingsFormat.github if on_github else FindingsFormat.full


def show(report: ValidateReport, output: FindingsFormat) -> None:
    """Write a report to stdout."""
    match output:
        case FindingsFormat.full:
            sys.stdout.write(full_text(report, color=has_color(sys.stdout)))
        case FindingsFormat.concise:
            sys.stdout.writelines(f"{concise_line(each)}\n" for each in report.findings)
        case FindingsFormat.json:
            sys.stdout.write(_json(json_document(report)))
        case FindingsFormat.sarif:
            sys.stdout.write(_json(sarif_document(report)))
        case FindingsFormat.junit:
            sys.stdout.write(junit_text(report))
        case FindingsFormat.github:
            _show_on_github(report)


def full_text(report: ValidateReport, *, color: bool = False) -> str:
    """Give each finding with its excerpt, and a last line that counts them."""
    lines = LINE_BREAK.split(report.text.removeprefix("\ufeff"))
    parts = [_with_excerpt(finding, lines, color) for finding in report.findings]
    return "\n".join([*parts, f"{_summary(report)}\n"])


def concise_line(finding: Finding) -> str:
    """Give a finding on one line, as compilers do."""
    where = ":".join(str(each) for each in (finding.file, finding.line, finding.column) if each)
    help_text = f" ({finding.help})" if finding.help else ""
    return _on_one_line(
        f"{where}: {finding.severity}[{finding.code}]: {finding.message}{help_text}"
    )


def json_document(report: ValidateReport) -> dict[str, Any]:
    """Give the document that other tools read; its shape is fixed."""
    keys = ("code", "severity", "message", "file", "line", "column", "help")
    return {"findings": [{key: getattr(each, key) for key in keys} for each in report.findings]}


def sarif_document(report: ValidateReport) -> dict[str, Any]:
    """Give the findings as SARIF 2.1.0, for code scanning."""
    from cdcctl.app import VERSION

    codes = sorted({finding.code for finding in report.findings})
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "cdcctl",
                        "version": VERSION,
                        "rules": [
                            {"id": code, "shortDescription": {"text": CODES[code]}}
                            for code in codes
                        ],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_sarif_result(finding, codes) for finding in report.findings],
            }
        ],
    }


def junit_text(report: ValidateReport) -> str:
    """Give the findings as JUnit XML: one case each, or one that passes."""
    from xml.sax.saxutils import escape, quoteattr

    failures = report.count("error") + report.count("warning")
    cases = [
        f"    <testcase classname={quoteattr(_xml(each.file))} "
        f"name={quoteattr(_xml(f'{each.code} at {each.line}:{each.column}'))}>"
        f"{_junit_result(each, escape, quoteattr)}</testcase>"
        for each in report.findings
    ] or [f'    <testcase classname={quoteattr(_xml(report.file))} name="valid"/>']
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            "<testsuites>",
            f'  <testsuite name="cdcctl validate-config" tests="{len(cases)}" '
            f'failures="{failures}" errors="0">',
            *cases,
            "  </testsuite>",
            "</testsuites>\n",
        ]
    )


def github_lines(report: ValidateReport) -> tuple[list[str], list[Finding]]:
    """Give the annotations, errors first, and the findings that are too many for them."""
    ordered = sorted(report.findings, key=lambda each: _SEVERITIES.index(each.severity))
    annotated, rest = ordered[:MAX_ANNOTATIONS], ordered[MAX_ANNOTATIONS:]
    return [_annotation(finding) for finding in annotated], rest


def _show_on_github(report: ValidateReport) -> None:
    lines, rest = github_lines(report)
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.writelines(f"{concise_line(finding)}\n" for finding in rest)
    if report.findings:
        rows = (
            (f"{each.severity} {each.code}", f"{each.file}:{each.line}", _told(each))
            for each in report.findings
        )
        github.add_summary(_summary(report), ("", "where", "what"), rows)


def _told(finding: Finding) -> str:
    return f"{finding.message} {finding.help}".strip()


def _annotation(finding: Finding) -> str:
    where = {"file": finding.file, "line": finding.line, "col": finding.column}
    if finding.column is not None:
        where["endColumn"] = finding.column + finding.width
    where["title"] = finding.code
    properties = ",".join(
        f"{key}={_github(str(value), ':,')}" for key, value in where.items() if value is not None
    )
    text = f"{finding.message}\n{finding.help}".strip()
    return f"::{_GITHUB_WORDS[finding.severity]} {properties}::{_github(text)}"


def _github(text: str, also: str = "") -> str:
    for character in "%\r\n" + also:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _sarif_result(finding: Finding, codes: Sequence[str]) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": {"uri": _uri(finding.file)}}
    if finding.line is not None and finding.column is not None:
        location["region"] = {
            "startLine": finding.line,
            "startColumn": finding.column,
            "endColumn": finding.column + finding.width,
        }
    text = f"{finding.message}. {finding.help}".strip() if finding.help else finding.message
    return {
        "ruleId": finding.code,
        "ruleIndex": codes.index(finding.code),
        "level": _SARIF_LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [{"physicalLocation": location}],
    }


def _uri(file: str) -> str:
    from urllib.parse import quote

    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


def _junit_result(finding: Finding, escape: Any, quoteattr: Any) -> str:
    text = escape(_xml(concise_line(finding)))
    if finding.severity == "info":
        return f"<system-out>{text}</system-out>"
    message = quoteattr(_xml(finding.message))
    return f'<failure type="{finding.severity}" message={message}>{text}</failure>'


_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _xml(text: str) -> str:
    return _NOT_XML.sub("?", text)


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"


def _summary(report: ValidateReport) -> str:
    errors, warnings = report.count("error"), report.count("warning")
    if not report.findings:
        tables = f": {_counted(report.table_count, 'table')}" if report.table_count else ""
        return f"{report.file} is valid{tables}"
    counts = [_counted(errors, "error")] if errors else []
    counts += [_counted(warnings, "warning")] if warnings else []
    counts += [f"{report.count('info')} notes"] if report.count("info") else []
    return f"{report.file}: {', '.join(counts)}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _with_excerpt(finding: Finding, lines: Sequence[str], color: bool) -> str:
    """Draw a finding with the line it is about, the spot marked, as cli.md's readers know it."""
    paint = _COLORS[finding.severity] if color else ""
    blue, plain = (_BLUE, _PLAIN) if color else ("", "")
    head = f"{paint}{finding.severity}[{finding.code}]{plain}: {_on_one_line(finding.message)}"
    where = ":".join(str(each) for each in (finding.file, finding.line, finding.column) if each)
    margin = " " * len(str(finding.line or ""))
    drawn = [head, f"{margin}{blue}-->{plain} {where}"]
    if finding.line is not None and finding.column is not None and finding.line <= len(lines):
        text, caret = _excerpt(lines[finding.line - 1], finding.column, finding.width)
        drawn += [
            f"{margin} {blue}|{plain}",
            f"{blue}{finding.line} |{plain} {text}",
            f"{margin} {blue}|{plain} {paint}{caret}{plain}",
        ]
    for label, text in (("help", finding.help), ("more", finding.more)):
        if text:
            drawn.append(f"{margin} {blue}={plain} {label}: {_on_one_line(text)}")
    return "\n".join(drawn) + "\n"


def _excerpt(line: str, column: int, width: int) -> tuple[str, str]:
    """Cut a line to the part around the spot; give it and the carets below."""
    start = column - 1
    first = 0 if len(line) <= MAX_EXCERPT else max(0, start - MAX_EXCERPT // 2)
    shown = line[first : first + MAX_EXCERPT]
    shown = "".join(char if char.isprintable() else " " for char in shown)
    at = min(start - first, len(shown))
    marked = shown[at : at + width]
    lead = "..." if first else ""
    tail = "..." if first + MAX_EXCERPT < len(line) else ""
    blank = " " * (len(lead) + _cells(shown[:at]))
    return f"{lead}{shown}{tail}".rstrip(), blank + "^" * max(1, _cells(marked))


def _cells(text: str) -> int:
    """Count terminal cells: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def _on_one_line(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
