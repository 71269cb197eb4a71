"""The command line on an account of the fake AWS."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from cdcctl import app, logs
from cdcctl.errors import ExitCode
from tests.fakeaws.fixture import FakeAws, FakeServer, new_account

Run = Callable[..., tuple[int, str, str]]
CONFIG = Path("config/tables.yaml")


@pytest.fixture
def cdcctl(
    fake_aws: FakeAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Give a function that runs one command line on a fresh account, the stack being demo."""
    return use_account(fake_aws, monkeypatch, capsys)


@pytest.fixture(scope="module")
def shared_account(fake_aws_server: FakeServer) -> FakeAws:
    """Give an account that the tests of a module share."""
    return FakeAws(fake_aws_server, new_account())


@pytest.fixture
def on_one_stack(
    shared_account: FakeAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[Run, FakeAws]:
    """Give the command line on an account whose stack is deployed once for the module."""
    run = use_account(shared_account, monkeypatch, capsys)
    if not shared_account.client("s3").list_buckets()["Buckets"]:
        code, _, err = run("deploy", "--yes", "--skip", "db,topics")
        assert code == 0, err
    return run, shared_account


def use_account(
    fake_aws: FakeAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    for name, value in fake_aws.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CDCCTL_POLL_SCALE", "0.02")
    monkeypatch.setenv("CDCCTL_STACK", "demo")
    fake_aws.settings(
        rds_host="127.0.0.1", rds_port="15432", kafka_bootstrap="b-1.invalid:9096,b-2.invalid:9096"
    )

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = app.run(list(words))
        finally:
            logs.configure(0, None)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def changed_config(tmp_path: Path) -> str:
    """Give the fleet's config with another limit of a rule."""
    text = CONFIG.read_text(encoding="utf-8")
    assert "max: 350" in text
    file = tmp_path / "tables.yaml"
    file.write_text(text.replace("max: 350", "max: 360"), encoding="utf-8")
    return str(file)


@pytest.fixture
def breaking_config(tmp_path: Path) -> str:
    """Give the fleet's config with another type of a column."""
    text = CONFIG.read_text(encoding="utf-8")
    assert "{name: year, type: integer}" in text
    file = tmp_path / "tables.yaml"
    changed = text.replace("{name: year, type: integer}", "{name: year, type: long}")
    file.write_text(changed, encoding="utf-8")
    return str(file)


def interrupted(words: Sequence[str], line: str, by: signal.Signals = signal.SIGINT) -> str:
    """Run a command, press Ctrl-C once it has said a line that begins so, and give the rest."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cdcctl", *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    for said in process.stderr:
        if said.startswith(line):
            break
    process.send_signal(by)
    rest = process.stderr.read()
    assert process.wait(30) == ExitCode.INTERRUPTED, rest
    return rest
