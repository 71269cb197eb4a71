"""How long each step of a batch takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Runs from its making; steps add up by name."""

    def __init__(self) -> None:
        """Start."""
        self._began = time.monotonic()
        self.seconds: dict[str, float] = {}

    @property
    def total(self) -> float:
        """Give the seconds since the start."""
        return time.monotonic() - self._began

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Take the time of a step."""
        began = self.total
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + self.total - began

    def reach(self, name: str) -> None:
        """Note that all until now was the step `name`."""
        self.seconds[name] = self.total
