"""What an operator can keep of a pipeline that is removed."""

from __future__ import annotations

from enum import StrEnum


class Retain(StrEnum):
    """What stays when the stack goes."""

    data = "data"
    quarantine = "quarantine"
    all = "all"
    none = "none"
