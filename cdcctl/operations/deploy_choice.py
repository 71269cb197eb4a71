"""What an operator can choose of a deploy that fails."""

from __future__ import annotations

from enum import StrEnum


class OnFailure(StrEnum):
    """What becomes of a stack that cannot be created."""

    rollback = "rollback"
    keep = "keep"
    delete = "delete"
