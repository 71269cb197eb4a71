"""Turns the shared options of the data commands into a request."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import typer

from cdcctl.operations.lakes import LakeRequest
from cdcctl.operations.moments import moment


def lake_request(config: Path, lake: Path | None, local: bool, local_dir: Path) -> LakeRequest:
    """Say which lake the options name."""
    return LakeRequest(config, lake, local, local_dir)


def since_moment(text: str | None) -> datetime | None:
    """Read `--since`; a text that is no time is a usage error."""
    if text is None:
        return None
    try:
        return moment(text, datetime.now(UTC))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None
