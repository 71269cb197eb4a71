"""Invokes the stack's Lambdas; an error inside an answer is a failure."""

from __future__ import annotations

import json
from typing import Any

from cdcctl.aws.session import Aws
from cdcctl.errors import CdcctlError


def invoke(aws: Aws, function: str, event: dict[str, Any]) -> dict[str, Any]:
    """Give the body of the answer; raise when the function failed or says that it refused."""
    answer = aws.call(
        "lambda",
        "invoke",
        FunctionName=function,
        InvocationType="RequestResponse",
        Payload=json.dumps(event).encode(),
    )
    request_id = answer.get("ResponseMetadata", {}).get("RequestId")
    text = answer["Payload"].read().decode("utf-8")
    logs = f"cdcctl logs lambda:{function}"
    try:
        said = json.loads(text or "null")
    except ValueError:
        said = None
    if answer.get("FunctionError") or not isinstance(said, dict):
        reason = said.get("errorMessage") if isinstance(said, dict) else text[:500]
        raise CdcctlError(
            "AWS030",
            f"the Lambda {function} failed",
            why=str(reason or answer.get("FunctionError") or "its answer is empty"),
            fix=logs,
            request_id=request_id,
        )
    if int(said.get("statusCode", 500)) >= 400:
        raise CdcctlError(
            "AWS031",
            f"the Lambda {function} refused",
            why=str(said.get("error") or text[:500]),
            fix=logs,
            request_id=request_id,
        )
    body: dict[str, Any] = said["body"]
    return body
