"""AWS's errors as the tool's one error: AWS's own words, the request id, and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from botocore import exceptions as boto

from cdcctl.aws.causes import hint_for
from cdcctl.errors import CdcctlError, ExitCode

_SIGNED_OUT = "AWS002"
_EXPIRED = {
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "InvalidAccessKeyId",
    "AuthFailure",
    # S3 answers HEAD without a body; a token that has expired is a 400 then.
    "400",
}
_SKEWED = {"RequestTimeTooSkewed", "RequestInTheFuture"}
_OF_ANOTHER_TIME = re.compile("[Ss]ignature (expired|not yet current)")
"""What STS says of them, under the code of a wrong signature."""
_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthorizationError",
    "AccessDeniedFault",
    "KMSAccessDeniedFault",
    "403",
    "Forbidden",
}
_TRANSIENT = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "SlowDown",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "InternalFailure",
    "InternalError",
    "InternalServerError",
    "InternalServerException",
    "InternalServiceException",
    "RequestTimeout",
    "500",
    "502",
    "503",
    "504",
}


@dataclass(eq=False)
class AwsError(CdcctlError):
    """A call that AWS refused or that never reached it; `aws_code` is AWS's name for it."""

    aws_code: str = ""
    service: str = ""
    operation: str = ""
    is_transient: bool = False
    """Whether the same call may succeed a little later."""
    action: str = ""
    """What IAM would have to allow."""

    @property
    def is_signed_out(self) -> bool:
        """Tell whether new credentials would mend it."""
        return self.code == _SIGNED_OUT


def translated(error: Exception, service: str, operation: str) -> AwsError:
    """Give the tool's error for what botocore raised."""
    if isinstance(error, boto.ClientError):
        return _refused(error, service, operation)
    action = f"{service}:{operation}"
    details: dict[str, Any] = {"why": str(error), "service": service, "operation": operation}
    match error:
        case boto.NoCredentialsError() | boto.PartialCredentialsError():
            return AwsError(
                "AWS001",
                "there are no AWS credentials",
                fix="aws sso login --profile NAME   then add --profile NAME, or export AWS_PROFILE",
                exit_code=ExitCode.CREDENTIALS,
                **details,
            )
        case boto.ProfileNotFound() | boto.ConfigNotFound():
            return AwsError(
                "AWS001",
                "the AWS profile cannot be used",
                fix="aws configure list-profiles   names those that are there",
                exit_code=ExitCode.CREDENTIALS,
                **details,
            )
        case (
            boto.TokenRetrievalError()
            | boto.SSOTokenLoadError()
            | boto.UnauthorizedSSOTokenError()
            | boto.CredentialRetrievalError()
        ):
            return AwsError(
                _SIGNED_OUT,
                "the AWS sign-in has expired",
                fix="aws sso login   and run the same command again; it goes on where it was",
                exit_code=ExitCode.CREDENTIALS,
                **details,
            )
        case boto.NoRegionError():
            return AwsError(
                "AWS003",
                "no AWS region is chosen",
                fix="add --region NAME, or export CDCCTL_REGION",
                exit_code=ExitCode.USAGE,
                **details,
            )
        case boto.ParamValidationError():
            return AwsError(
                "AWS007",
                f"{action} was asked in a way AWS does not take",
                fix="report it: this is a fault of cdcctl",
                **details,
            )
        case _:
            return AwsError(
                "AWS005",
                f"AWS could not be reached for {action}",
                fix="check the network and the region, then run the same command again",
                is_transient=isinstance(error, (boto.HTTPClientError, boto.ConnectionError)),
                **details,
            )


def _refused(error: Any, service: str, operation: str) -> AwsError:
    answer = error.response
    aws_code = str(answer.get("Error", {}).get("Code", ""))
    said = str(answer.get("Error", {}).get("Message", "") or aws_code)
    metadata = answer.get("ResponseMetadata", {})
    request_id = metadata.get("RequestId")
    status = int(metadata.get("HTTPStatusCode", 0) or 0)
    details: dict[str, Any] = {
        "why": f"{said} ({service} {operation}, {aws_code}"
        + (f", request {request_id})" if request_id else ")"),
        "request_id": request_id,
        "aws_code": aws_code,
        "service": service,
        "operation": operation,
    }
    if aws_code in _SKEWED or (aws_code in _EXPIRED and _OF_ANOTHER_TIME.search(said)):
        return AwsError(
            "AWS011",
            "this machine's clock is not AWS's",
            fix="set this machine's clock: AWS refuses signatures that are five minutes off",
            exit_code=ExitCode.CREDENTIALS,
            **details,
        )
    if aws_code in _EXPIRED:
        return AwsError(
            _SIGNED_OUT,
            "AWS does not accept these credentials",
            fix="aws sso login   (or renew the keys) and run the same command again",
            exit_code=ExitCode.CREDENTIALS,
            **details,
        )
    if aws_code in _DENIED:
        action = iam_action(service, error.operation_name)
        return AwsError(
            "AWS004",
            f"permission {action} is missing",
            action=action,
            fix=hint_for(said) or "cdcctl doctor --policy deployer   prints the policy it needs",
            exit_code=ExitCode.CREDENTIALS,
            **details,
        )
    if aws_code in _TRANSIENT or status >= 500:
        return AwsError(
            "AWS006",
            f"AWS is busy: {service} {operation} was turned away again and again",
            fix="wait a minute and run the same command again",
            is_transient=True,
            **details,
        )
    return AwsError(
        "AWS008",
        f"AWS refused {service} {operation}",
        fix=hint_for(said) or "",
        **details,
    )


_ACTIONS = {
    "s3:DeleteObjects": "s3:DeleteObjectVersion",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListObjectsV2": "s3:ListBucket",
    "lambda:Invoke": "lambda:InvokeFunction",
}
_PREFIXES = {"service-quotas": "servicequotas"}


def iam_action(service: str, operation: str) -> str:
    """Give the action that IAM asks for when an operation of the API, by its own name, is called.

    Both are the same but for a few (service authorization reference).
    """
    action = f"{_PREFIXES.get(service, service)}:{operation}"
    return _ACTIONS.get(action, action)
