"""Credentials that AWS takes no more during a wait: asked for again, or the end of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdcctl.aws.errors import AwsError
from cdcctl.aws.session import Aws
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.sign_in import signed_in
from cdcctl.operations.waiting import Waiting
from tests.unit.faulty_aws import ACCOUNT, environment, faulty_aws

SIGNED_OUT = AwsError("AWS002", "AWS does not accept these credentials", exit_code=4)


class Reading:
    """Is refused so often, and done then; a reading takes a second, an answer ten minutes."""

    def __init__(self, refusals: int, *, answers: bool) -> None:
        """Take how often it is refused, and whether anybody signs in again."""
        self.now, self.asked = 0.0, 0
        self._refusals, self._answers = refusals, answers

    def read(self) -> bool:
        """Read once."""
        self.now += 1
        if self._refusals:
            self._refusals -= 1
            raise SIGNED_OUT
        return self.now > 1210

    def sign_in(self) -> bool:
        """Sign in again, or not."""
        self.asked += 1
        self.now += 600
        return self._answers

    def wait(self) -> bool:
        """Wait for a minute at most."""
        waiting = Waiting(60, 1, lambda: self.now, lambda _: None, 1.0, self.sign_in)
        return waiting.until(self.read, bool, what="the wait", again="the command")


def test_with_new_credentials_the_wait_goes_on_and_nobody_is_hurried() -> None:
    reading = Reading(2, answers=True)
    assert reading.wait()
    assert reading.asked == 2


def test_without_new_credentials_the_wait_ends() -> None:
    with pytest.raises(AwsError) as caught:
        Reading(1, answers=False).wait()
    assert caught.value.exit_code == ExitCode.CREDENTIALS


def test_a_session_is_renewed_for_its_own_account_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty_aws() as server:
        for name, value in environment(server).items():
            monkeypatch.setenv(name, value)
        aws = Aws()
        assert aws.account == ACCOUNT
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANEW")
        aws.renew()
        assert aws.storage_options()["AWS_ACCESS_KEY_ID"] == "AKIANEW"
        monkeypatch.setitem(vars(aws), "account", "999999999999")
        with pytest.raises(CdcctlError, match=f"belong to account {ACCOUNT}") as caught:
            aws.renew()
    assert (caught.value.code, caught.value.exit_code) == ("AWS009", ExitCode.CREDENTIALS)


class Person:
    """Presses Enter so often, and leaves then."""

    def __init__(self, patience: int) -> None:
        """Take how often."""
        self.left = patience

    def sign_in(self, command: str) -> bool:
        """Press Enter, or not."""
        self.left -= 1
        return self.left >= 0


@pytest.mark.parametrize(("patience", "refusals", "ends"), [(2, 1, True), (2, 2, False)])
def test_it_is_asked_until_aws_takes_the_credentials(
    patience: int, refusals: int, ends: bool
) -> None:
    refused = [SIGNED_OUT] * refusals

    class Session:
        sign_in_command = "aws sso login"

        def renew(self) -> None:
            if refused:
                raise refused.pop()

    found = signed_in(Session(), Person(patience))  # type: ignore[arg-type]  # what is asked of them
    assert found is ends


def test_the_command_names_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text("[profile fleet]\nregion = eu-central-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    assert Aws("eu-central-1").sign_in_command == "aws sso login"
    assert Aws("eu-central-1", "fleet").sign_in_command == "aws sso login --profile fleet"
    monkeypatch.setenv("AWS_PROFILE", "fleet")
    assert Aws("eu-central-1").sign_in_command == "aws sso login --profile fleet"
