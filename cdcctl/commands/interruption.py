"""What ends the watching of work that AWS goes on with: Ctrl-C, or a polite kill."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def killed_as_interrupted() -> Iterator[None]:
    """Take SIGTERM, which CI systems end a job with, as Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
