"""Finds the files that come with cdcctl: the example configs and the templates."""

from __future__ import annotations

import runpy
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent


def shipped(name: str) -> Path:
    """Give the folder `config` or `templates`: of the wheel, or of the source tree."""
    in_wheel = _PACKAGE / "_shipped" / name
    return in_wheel if in_wheel.is_dir() else _PACKAGE.parent / name


@cache
def shared_code(name: str) -> dict[str, Any]:
    """Give what a file that the Lambdas share defines: the tool runs the same code here."""
    return runpy.run_path(str(shipped("templates") / "lambdas/shared" / f"{name}.py"))
