"""What an operator can choose of a deploy's end."""

from __future__ import annotations

from enum import StrEnum


class OnFailure(StrEnum):
    """What becomes of a stack that cannot be created."""

    rollback = "rollback"
    keep = "keep"
    delete = "delete"


class Verify(StrEnum):
    """How a deploy makes sure."""

    stack = "stack"
    e2e = "e2e"
