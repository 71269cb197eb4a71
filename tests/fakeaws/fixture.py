"""`fake_aws`: an account of its own for each test, on one server for the session."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fakeaws.venv import fake_python

REGION = "eu-central-1"
_START_SECONDS = 60.0
_LIFETIME_SECONDS = 3600
_ROOT = Path(__file__).resolve().parents[2]
_numbers = itertools.count(random.randrange(10**11, 9 * 10**11))


def new_account() -> str:
    """Give twelve digits that no other test of this session has."""
    return f"{next(_numbers):012d}"


@dataclass(frozen=True)
class FakeServer:
    """The process that all tests of a session share."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def control(self, what: str, **given: Any) -> dict[str, Any]:
        """Tell the fake, or ask it, something that AWS has no call for."""
        request = urllib.request.Request(
            f"{self.url}/_fake/{what}", data=json.dumps(given).encode(), method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                document: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            raise ValueError(error.read().decode()) from error
        return document

    def stop(self) -> None:
        """End the server; it ends the processes that it has started."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=10)


@dataclass(frozen=True)
class FakeAws:
    """One account of the fake."""

    server: FakeServer
    account: str

    @property
    def url(self) -> str:
        """Give the address that takes the place of every AWS endpoint."""
        return self.server.url

    def env(self, account: str | None = None) -> dict[str, str]:
        """Give the variables with which the AWS SDK, and so cdcctl, speaks to the fake."""
        nowhere = str(Path(os.devnull))
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": account or self.account,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_CONFIG_FILE": nowhere,
            "AWS_SHARED_CREDENTIALS_FILE": nowhere,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> Any:
        """Give a boto3 client whose every answer is held against its shape."""
        import boto3
        from botocore.config import Config

        from tests.fakeaws.contract import guard

        client = boto3.Session().client(
            service,  # type: ignore[call-overload]  # the stubs list literal names
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=self.account,
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )
        guard(client)
        return client

    def fault(self, **fault: Any) -> None:
        """Have the calls that match answered by a fault.

        `service`, `op` (a pattern) and `skip` choose them; `code`, `http`, `message`, `drop`,
        `lose` and `delay` say what happens, `times` how often.
        """
        self.server.control("fault", account=self.account, **fault)

    def clear_faults(self) -> None:
        """Take back the faults of this account."""
        self.server.control("clear", account=self.account)

    def cfnfail(self, **reasons: Any) -> None:
        """Have resources fail.

        By logical id, type, `update:Id`, `delete:Id`, or the fake's own names; `status:STACK`
        puts a stack into a state.
        """
        self.server.control("cfnfail", account=self.account, **reasons)

    def speed(self, seconds: float) -> None:
        """Let a minute on AWS take so many seconds here."""
        self.server.control("speed", account=self.account, speed=seconds)

    def settings(self, **values: Any) -> None:
        """Set the real processes behind the services; see settings.py."""
        self.server.control("settings", account=self.account, **values)

    def calls(
        self, account: str | None = None, *, only_cdcctl: bool = False
    ) -> list[tuple[str, str]]:
        """Give every call so far as service and operation."""
        calls = self.server.control("calls", account=account or self.account)["calls"]
        return [
            (call["service"], call["operation"])
            for call in calls
            if call["is_cdcctl"] or not only_cdcctl
        ]

    def reset(self) -> None:
        """Forget the account's faults, settings, calls, DMS and Glue runs."""
        self.server.control("reset", account=self.account)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def start_server(log: Path, **environment: str) -> FakeServer:
    """Start a server and wait until it answers."""
    port = _free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(fake_python()), "-m", "tests.fakeaws.server", str(port)],
            cwd=_ROOT,
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "FAKE_"))},
                "PYTHONPATH": str(_ROOT),
                "FAKE_PARENT_PID": str(os.getpid()),
                "FAKE_LIFETIME_SECONDS": str(_LIFETIME_SECONDS),
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = FakeServer(f"http://127.0.0.1:{port}", process, log)
    try:
        _wait_until_up(server)
    except BaseException:
        server.stop()
        raise
    return server


def _wait_until_up(server: FakeServer) -> None:
    ends_at = time.monotonic() + _START_SECONDS
    while time.monotonic() < ends_at:
        if server.process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{server.url}/_ministack/health", timeout=5):
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
    raise RuntimeError(f"the fake AWS did not start:\n{server.log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def fake_aws_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeServer]:
    """One server for the session."""
    server = start_server(tmp_path_factory.mktemp("fakeaws") / "server.log")
    yield server
    server.stop()


@pytest.fixture
def fake_aws(fake_aws_server: FakeServer) -> FakeAws:
    """An account that nobody has used."""
    return FakeAws(fake_aws_server, new_account())
