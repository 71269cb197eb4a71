"""Reads points in time as an operator writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_SPAN = re.compile(r"(\d+)\s*(s|m|min|h|d|w)")
_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, now: datetime) -> datetime:
    """Read `15m`, `2h`, `3d` before now, or an ISO 8601 time; ValueError when it is neither."""
    span = _SPAN.fullmatch(text.strip())
    try:
        if span is not None:
            return now - timedelta(**{_UNITS[span[2]]: int(span[1])})
        read = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise ValueError(
            f"`{text}` is not a time; write 15m, 2h, 3d or 2026-11-22T10:00:00Z"
        ) from None
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)
