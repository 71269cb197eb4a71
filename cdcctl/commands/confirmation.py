"""Asks before something is changed that cannot be taken back."""

from __future__ import annotations

import typer

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.ui import console


def confirm(question: str, *, yes: bool, code: str, what: str, fix: str) -> None:
    """Go on when the answer is yes; off a terminal, only `--yes` is an answer."""
    if yes:
        return
    if not console.may_ask():
        raise CdcctlError(code, what, fix=fix, exit_code=ExitCode.CONFIRM)
    if not typer.confirm(question, err=True):
        raise typer.Exit(ExitCode.CONFIRM)
