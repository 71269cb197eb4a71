"""Spells paths for the screen."""

from __future__ import annotations

from pathlib import Path


def short(path: Path | str) -> str:
    """Give a path from here, when it is below this folder."""
    whole, here = Path(path), Path.cwd()
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)
