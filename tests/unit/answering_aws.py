"""An Aws that answers each operation from a table; an error in the table is raised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class AnsweringAws:
    """Stands in for the session; a function in the table is called with what is asked."""

    account = "123456789012"
    region = "eu-central-1"

    def __init__(self, answers: Mapping[str, Any]) -> None:
        """Take the answers by operation."""
        self._answers = dict(answers)

    def call(self, service: str, operation: str, **asked: Any) -> Any:
        """Give the answer of an operation."""
        answer = self._answers[operation]
        if isinstance(answer, Exception):
            raise answer
        return answer(asked) if callable(answer) else answer

    def pages(self, service: str, operation: str, key: str, **asked: Any) -> Iterator[Any]:
        """Give the items of a listing."""
        answer = self.call(service, operation, **asked)
        yield from answer[key] if isinstance(answer, Mapping) else answer
