"""Every AWS command under every fault: the exit code, the cause, the way out, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.loaders import Loader

from cdcctl import app
from cdcctl.app import COMMANDS
from cdcctl.aws import session
from cdcctl.errors import ExitCode
from tests.unit.faulty_aws import FaultyAws, environment, faulty_aws

OFFLINE = frozenset(("demo", "init", "validate-config", "rules", "schema", "compile", "local"))
LATER = (
    "bootstrap-db",
    "sync-topics",
    "sync-catalog",
    "teardown --dry-run",
    "teardown --confirm demo --retain none",
    "start dms",
    "start glue",
    "stop dms",
    "stop glue",
    "reload vehicles --yes",
    "logs all",
    "status",
    "query fleet_by_status",
    "quarantine show vehicles",
    "quarantine inspect vehicles 0:10",
    "quarantine stats",
    "quarantine export vehicles --to -",
    "quarantine replay vehicles --rule veh_001 --timeout 1",
    "quarantine discard vehicles --rule veh_001 --reason r --yes --timeout 1",
    "metrics show",
    "metrics tail --timeout 1",
    "metrics plot completeness vehicles.vin",
    "history show vehicles 7",
    "history verify",
    "history rebuild vehicles --yes --timeout 1",
    "why vehicles 7",
    "plan",
    "deploy --yes",
)
# They fail where they ask who one is, too: these others ask only what they need it for.
FIRST = ("doctor", "plan", "deploy --yes")
FIRST_BYTE_SECONDS = 0.9
PACKAGING = ("plan",)
FAULTS: dict[str, tuple[dict[str, Any], ExitCode, str]] = {
    "throttling": ({"code": "ThrottlingException"}, ExitCode.FAILED, "AWS006"),
    "expired": ({"code": "ExpiredToken"}, ExitCode.CREDENTIALS, "AWS002"),
    "denied": ({"code": "AccessDenied", "status": 403}, ExitCode.CREDENTIALS, "AWS004"),
    "dropped": ({}, ExitCode.FAILED, "AWS005"),
    "silent": ({"silent_seconds": 5.0}, ExitCode.FAILED, "AWS005"),
}
CHECKED_WITHOUT_AWS = frozenset(
    ("config", "stack", "region", "profile", "expected_account", "end dates", "stack name")
)
CHECKED_BY_IDENTITY = frozenset(("identity", "clock"))


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyAws]:
    with faulty_aws() as faulty:
        yield faulty


@pytest.fixture(scope="module")
def descriptions() -> Loader:
    """What botocore knows of the services: read once, not once a test."""
    return Loader()


@pytest.fixture
def faulty(server: FaultyAws, descriptions: Loader, monkeypatch: pytest.MonkeyPatch) -> FaultyAws:
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setattr(botocore.session, "create_loader", lambda _: descriptions)
    return server


@pytest.fixture(params=FAULTS)
def fault(
    request: pytest.FixtureRequest, faulty: FaultyAws, monkeypatch: pytest.MonkeyPatch
) -> str:
    monkeypatch.setattr(session, "Config", hurried(0.3 if request.param == "silent" else 60.0))
    faulty.fails(**FAULTS[request.param][0])
    return str(request.param)


def hurried(read_seconds: float) -> Callable[..., Config]:
    """Ask once: what botocore does by itself, again and again, is not what is tested here."""
    hurry = {"retries": {"total_max_attempts": 1}, "read_timeout": read_seconds}
    return lambda **given: Config(**(given | hurry))


def test_every_command_is_tried() -> None:
    tried = {line.split()[0] for line in (*LATER, *FIRST)}
    assert tried | OFFLINE | {"seed"} == {entry.name for entry in COMMANDS}


@pytest.mark.parametrize(
    ("line", "knows_caller"),
    [*((line, True) for line in LATER), *((line, False) for line in FIRST)],
)
def test_a_fault_is_told(
    line: str,
    knows_caller: bool,
    fault: str,
    faulty: FaultyAws,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, code, error = FAULTS[fault]
    faulty.knows_caller = knows_caller
    seen = app.run(line.split())
    printed = capsys.readouterr()
    assert seen == code, printed.err
    assert f"error[{error}]" in printed.err
    assert "  why:  " in printed.err
    assert ("Read timeout" in printed.err) == (fault == "silent")
    assert "  fix:  " in printed.err
    assert "Traceback" not in printed.err + printed.out
    assert "canary" not in printed.err + printed.out


def test_doctor_tells_a_fault_in_the_place_of_every_check(
    fault: str,
    faulty: FaultyAws,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if fault == "silent":
        # Who one is must be told in time, however busy the machine is.
        monkeypatch.setattr(session, "Config", hurried(1.0))
    _, code, _ = FAULTS[fault]
    faulty.knows_caller = True
    seen = app.run(["doctor", "-o", "json"])
    checks = json.loads(capsys.readouterr().out)["data"]["checks"]
    passed = {check["name"] for check in checks if check["verdict"] == "pass"}
    assert passed == CHECKED_WITHOUT_AWS | CHECKED_BY_IDENTITY
    others = [check for check in checks if check["name"] not in passed]
    is_unknown = code == ExitCode.CREDENTIALS
    assert {check["verdict"] for check in others} == {"unknown" if is_unknown else "fail"}
    assert all(check["seen"] and check["fix"] for check in others)
    assert seen == (ExitCode.DONE if is_unknown else ExitCode.UNHEALTHY)


def seconds_until_first_call(line: str, server: FaultyAws) -> tuple[float, float]:
    """Start a command; give what passed, and what it computed, until its first byte to AWS."""
    seen: list[tuple[float, float]] = []
    server.fails(code="AccessDenied", status=403)
    server.knows_caller = False
    running = subprocess.Popen(
        [sys.executable, "-m", "cdcctl", *line.split()],
        env={**os.environ, **environment(server)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    began = time.monotonic()
    server.on_call = lambda: seen.append((time.monotonic() - began, computed(running.pid)))
    try:
        assert running.wait(timeout=60) == ExitCode.CREDENTIALS
    finally:
        server.on_call = None
    return seen[0]


def computed(pid: int) -> float:
    """Give a process's seconds on a processor (proc(5): fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system has no /proc")
@pytest.mark.parametrize("line", ["status", "stop dms", "metrics show"])
def test_the_first_byte_goes_to_aws_at_once(line: str, server: FaultyAws) -> None:
    # What the command computes: how long it waits for its turn is the machine's affair.
    taken = (seconds_until_first_call(line, server)[1] for _ in range(3))
    assert any(seconds < FIRST_BYTE_SECONDS for seconds in taken)


@pytest.mark.slow
@pytest.mark.parametrize("line", [line for line in (*LATER, *FIRST) if line not in PACKAGING])
def test_the_first_byte_of_every_command_is_in_time(line: str, server: FaultyAws) -> None:
    assert median(seconds_until_first_call(line, server)[0] for _ in range(3)) < FIRST_BYTE_SECONDS
