"""How far the source's log may be released: up to a commit whose every record is acknowledged."""

from __future__ import annotations

import threading
from collections import deque


class Transaction:
    """The records of one transaction on their way to Kafka."""

    def __init__(self, position: FlushPosition) -> None:
        self._position = position
        self.outstanding = 0
        self.end_lsn: int | None = None

    def expect(self) -> None:
        """Count a record that must be acknowledged before the log is released."""
        with self._position.lock:
            self.outstanding += 1

    def acknowledge(self) -> None:
        """Count a record that the brokers have."""
        with self._position.lock:
            self.outstanding -= 1

    def commit(self, end_lsn: int) -> None:
        """Note where the log goes on after this transaction."""
        with self._position.lock:
            self.end_lsn = end_lsn


class FlushPosition:
    """The transactions that are not safe yet, in the order of their commits."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._open: deque[Transaction] = deque()
        self._confirmed = 0

    def begin(self) -> Transaction:
        """Follow one more transaction."""
        transaction = Transaction(self)
        with self.lock:
            self._open.append(transaction)
        return transaction

    def confirmed(self, received: int = 0) -> int:
        """Give the highest position that may be released.

        `received` is how far the server says that it has read the log: safe when nothing is open,
        and then what lets the log of an idle table be released.
        """
        with self.lock:
            while self._open and self._open[0].end_lsn is not None:
                if self._open[0].outstanding:
                    break
                self._confirmed = max(self._confirmed, self._open[0].end_lsn)
                self._open.popleft()
            if not self._open:
                self._confirmed = max(self._confirmed, received)
            return self._confirmed

    @property
    def open_transactions(self) -> int:
        """Count the transactions that are not safe yet."""
        with self.lock:
            return len(self._open)
