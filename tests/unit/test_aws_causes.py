from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdcctl.aws.causes import CAUSES, Cause, hint_for
from cdcctl.aws.errors import translated


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.example[:40])
def test_the_text_of_a_known_cause_gives_its_hint(cause: Cause) -> None:
    assert hint_for(cause.example) == cause.hint


def test_an_unknown_text_gives_no_hint() -> None:
    assert hint_for("something quite different") is None


@pytest.mark.parametrize(
    ("aws_code", "said", "code"),
    [
        ("RequestTimeTooSkewed", "The difference is too large.", "AWS011"),
        ("SignatureDoesNotMatch", "Signature expired: 2026 is now earlier than 2027", "AWS011"),
        ("InvalidSignatureException", "Signature not yet current: 2027", "AWS011"),
        ("SignatureDoesNotMatch", "The signature we calculated does not match", "AWS002"),
    ],
)
def test_a_clock_that_is_off_is_not_told_as_wrong_credentials(
    aws_code: str, said: str, code: str
) -> None:
    answer: Any = {"Error": {"Code": aws_code, "Message": said}}
    error = translated(ClientError(answer, "GetCallerIdentity"), "sts", "get_caller_identity")
    assert (error.code, error.exit_code) == (code, 4)
