"""Sends a custom resource's answer to the address that CloudFormation gave."""

import json
import urllib.request

SUCCESS, FAILED = "SUCCESS", "FAILED"
_REASON_LENGTH = 1000


def respond(event, status, identity, *, data=None, reason=""):
    """Put the answer; CloudFormation takes at most 4,096 bytes."""
    answer = {
        "Status": status,
        "Reason": reason[:_REASON_LENGTH] or "done",
        "PhysicalResourceId": identity,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": data or {},
    }
    # The address is signed without a content type.
    request = urllib.request.Request(
        event["ResponseURL"],
        data=json.dumps(answer).encode(),
        method="PUT",
        headers={"Content-Type": ""},
    )
    with urllib.request.urlopen(request, timeout=20):
        pass
