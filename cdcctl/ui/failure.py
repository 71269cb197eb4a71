"""Prints an error: for a person, or as JSON beside JSON output. No rich: an error must be quick."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from cdcctl.redaction import redacted
from cdcctl.ui.console import has_color, printable

if TYPE_CHECKING:
    from cdcctl.errors import CdcctlError

_INDENT = 8
"""Columns before a line that goes on after `why:  `."""


def show(error: CdcctlError, *, machine: bool = False) -> None:
    """Write one error to stderr; what others said in it may quote a secret."""
    error = replace(error, what=redacted(error.what), why=redacted(error.why))
    sys.stdout.flush()
    if machine:
        sys.stderr.write(json.dumps(error.as_document(), ensure_ascii=False) + "\n")
    else:
        width = shutil.get_terminal_size().columns if sys.stderr.isatty() else None
        sys.stderr.write(text(error, color=has_color(sys.stderr), width=width))
        if os.environ.get("GITHUB_ACTIONS") == "true":
            sys.stderr.write(f"::error title={error.code}::{_github(error)}\n")
    sys.stderr.flush()


def _github(error: CdcctlError) -> str:
    """Spell an error as GitHub's workflow commands want it."""
    said = f"{error.what}: {error.why}" if error.why else error.what
    return said.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def text(error: CdcctlError, *, color: bool = False, width: int | None = None) -> str:
    """Give the lines of one error: what, why, fix, log.

    For a terminal the reason is wrapped at its words; a command stays whole, to be copied, and
    what is said of it comes below it.
    """
    head = f"error[{error.code}]:"
    what = printable(error.what)
    lines = [f"\x1b[1;31m{head}\x1b[0m {what}" if color else f"{head} {what}"]
    if error.location:
        lines.append(f"  --> {error.location}")
    log = str(error.log) if error.log is not None else ""
    why, fix = printable(error.why), error.fix
    if width is not None:
        room = max(width - _INDENT, 20)
        why = "\n".join(_wrapped(line, room) for line in why.splitlines())
        fix = fix if len(fix) <= room else "\n".join(filter(None, fix.split("   ")))
    for label, value in (("why", why), ("fix", fix), ("log", log)):
        if value:
            first, *others = value.splitlines()
            lines.append(f"  {label}:  {first}")
            lines += [f"{'':{_INDENT}}{line}" for line in others]
    return "\n".join(lines) + "\n"


def _wrapped(line: str, width: int) -> str:
    import textwrap

    return textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)
