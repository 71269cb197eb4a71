"""How a service of the fake refuses a request, and answers one, in AWS's JSON protocol."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Request = dict[str, Any]
Answer = dict[str, Any]
Response = tuple[int, dict[str, str], bytes]

_JSON = {"Content-Type": "application/x-amz-json-1.1"}


class Refusal(Exception):
    """A request that AWS answers with an error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def answered(operation: Callable[[Request], Answer], body: bytes) -> Response:
    """Run an operation on a JSON body."""
    try:
        answer = operation(json.loads(body or b"{}"))
    except Refusal as refusal:
        document = {"__type": refusal.code, "message": refusal.message}
        return 400, dict(_JSON), json.dumps(document).encode()
    return 200, dict(_JSON), json.dumps(answer, default=str).encode()
