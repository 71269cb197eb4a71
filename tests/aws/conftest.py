"""The command line on an account of the fake AWS."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cdcctl import app
from tests.fakeaws.fixture import FakeAws

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cdcctl(
    fake_aws: FakeAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Give a function that runs one command line on a fresh account, the stack being demo."""
    for name, value in fake_aws.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CDCCTL_POLL_SCALE", "0.02")
    monkeypatch.setenv("CDCCTL_STACK", "demo")
    fake_aws.settings(
        rds_host="127.0.0.1", rds_port="15432", kafka_bootstrap="b-1.invalid:9096,b-2.invalid:9096"
    )

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = app.run(list(words))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run
