"""Reads and writes JSON without touching the digits of its numbers."""

from __future__ import annotations

import json
import re
from typing import Any

_MARK = "\0number:"
_MARKED = re.compile(r'"\\u0000number:([^"]*)"')


def read(text: str) -> Any:
    """Read JSON; a fraction becomes a marked string that `written` spells as it was sent."""
    return json.loads(text, parse_float=_MARK.__add__)


def written(value: Any, *, indent: int | None = None) -> str:
    """Write what `read` gave."""
    return _MARKED.sub(r"\1", json.dumps(value, ensure_ascii=False, indent=indent))


def indented(text: str) -> str:
    """Break JSON over lines; ValueError when it is none."""
    return written(read(text), indent=2)
