"""Writes messages to Kafka in order and learns which of them the brokers have."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from cdcctl.local.dms_message import KafkaMessage

MAX_MESSAGE_BYTES = 2 * 1024 * 1024


class EmissionFailed(Exception):
    """The brokers refused a message, or did not take it in time; what follows it is void."""


class Emitter:
    """A producer with acks=all and idempotence: no gaps, no swaps, no doubles by retrying."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        from kafka import KafkaProducer

        self._producer = KafkaProducer(
            **settings,
            acks="all",
            enable_idempotence=True,
            linger_ms=5,
            reconnect_backoff_max_ms=1_000,
            max_block_ms=1_000,
            request_timeout_ms=10_000,
            delivery_timeout_ms=30_000,
            max_request_size=MAX_MESSAGE_BYTES,
        )
        self._failure: BaseException | None = None

    def emit(
        self,
        message: KafkaMessage,
        acknowledged: Callable[[], None],
        wait: Callable[[], None],
    ) -> None:
        """Send a message; `wait` is called, and may raise, while the brokers take nothing."""
        from kafka.errors import KafkaTimeoutError

        key, value = message.key.encode(), message.value.encode()
        while True:
            self.check()
            try:
                future = self._producer.send(message.topic, value=value, key=key)
                break
            except KafkaTimeoutError:
                wait()
        future.add_callback(lambda _record: acknowledged())
        future.add_errback(self._fail)

    def check(self) -> None:
        """Raise when a message was lost: the stream must start again from its last safe point."""
        if self._failure is not None:
            raise EmissionFailed(str(self._failure) or repr(self._failure)) from self._failure

    def flush(self, timeout_seconds: float) -> None:
        """Wait until all messages are acknowledged."""
        from kafka.errors import KafkaTimeoutError

        try:
            self._producer.flush(timeout=timeout_seconds)
        except KafkaTimeoutError as error:
            raise EmissionFailed("the brokers did not acknowledge in time") from error
        self.check()

    def close(self) -> None:
        """End the producer; what is not acknowledged is delivered again after the next start."""
        self._producer.close(timeout=1)

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error


def connect(settings: Mapping[str, Any], patience_seconds: float) -> Emitter:
    """Open a producer, waiting for a broker that is still starting."""
    from kafka.errors import KafkaError

    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return Emitter(settings)
        except (KafkaError, OSError) as error:
            if time.monotonic() >= deadline:
                raise EmissionFailed(f"no broker answers: {error}") from error
            time.sleep(0.5)
