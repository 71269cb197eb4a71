"""The whole pipeline through the command line: the fake AWS with real servers behind it."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakeaws.fixture import FakeAws
from tests.fakeaws.real_parts import run_jobs_here, servers_of, use_servers
from tests.local.running_stack import RunningStack, started
from tests.readme_blocks import hold_to_readme

pytestmark = [pytest.mark.aws, pytest.mark.local, pytest.mark.timeout(900)]

Run = Callable[..., tuple[int, str, str]]
OTHER = Path("tests/local/tables.yaml")
"""What the local stack itself captures, into topics that the pipeline does not read."""
ROWS = """
INSERT INTO vehicles (id, vin, license_plate, make, model, year, fuel_type, status)
VALUES (1, '1HGCM82633A004352', 'b-x 1', 'VW', 'Crafter', 2020, 'diesel', 'active'),
       (2, '1HGCM82633A004353', 'b-x 2', 'VW', 'Crafter', 1900, 'diesel', 'active')
"""
TABLES = ("vehicles", "drivers", "vehicle_telemetry", "deliveries", "alerts")
BAYS = """
  - name: bays
    primary_key: id
    history: {deletion_vectors: always}
    schema:
      - {name: id, type: integer, nullable: false}
      - {name: label, type: string}
"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with started(tmp_path_factory.mktemp("stack"), OTHER) as stack:
        yield stack


def eventually(look: Callable[[], bool], what: str, seconds: float = 240) -> None:
    ends_at = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < ends_at, what
        time.sleep(3)


def newest_commit(fake_aws: FakeAws, table: str) -> bytes:
    """Read what the last commit to a table's history did."""
    s3, bucket = fake_aws.client("s3"), f"demo-delta-{fake_aws.account}"
    found = s3.list_objects_v2(Bucket=bucket, Prefix=f"{table}/_delta_log/")["Contents"]
    newest = max(each["Key"] for each in found if each["Key"].endswith(".json"))
    body: bytes = s3.get_object(Bucket=bucket, Key=newest)["Body"].read()
    return body


def test_a_pipeline_is_deployed_fed_changed_and_removed(
    cdcctl: Run,
    fake_aws: FakeAws,
    servers: RunningStack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The job is real here, and ends as slowly as it does.
    monkeypatch.setenv("CDCCTL_POLL_SCALE", "0.4")
    use_servers(fake_aws, servers_of(servers))
    run_jobs_here(fake_aws)
    shutil.copytree("config", tmp_path / "config")
    config = tmp_path / "config" / "tables.yaml"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def did(*words: str) -> Any:
        code, out, err = cdcctl(*words, "-o", "json")
        assert code == 0, f"{words}: {err}"
        return json.loads(out)["data"]

    def printed(line: str) -> str:
        return cdcctl(*line.split())[1]

    done = {each["step"]: each for each in did("deploy", "--yes")["steps"]}
    assert done["bootstrap-db"]["status"] == "done"
    assert done["sync-topics"]["status"] == "done"

    found: list[dict[str, Any]] = []

    def source_is_examined() -> bool:
        found[:] = json.loads(cdcctl("doctor", "-o", "json")[1])["data"]["checks"]
        return sum(each["area"] == "source" for each in found) > len(TABLES)

    eventually(source_is_examined, "doctor, which waits five seconds for an answer, had one")
    stack = {each["name"]: each for each in found if each["area"] == "stack"}
    assert stack.keys() == {"code", "config", "endpoints", "topics"}
    assert [each for each in stack.values() if each["verdict"] not in {"pass", "unknown"}] == []
    source = [each for each in found if each["area"] == "source"]
    assert {each["verdict"] for each in source} <= {"pass", "warn"}, source
    servers.sql(ROWS)

    def history(key: str, table: str = "vehicles") -> list[dict[str, Any]]:
        code, out, _ = cdcctl("history", "show", table, key, "-o", "json")
        return json.loads(out)["data"]["versions"] if code == 0 else []

    eventually(lambda: len(history("1")) == 1, "the inserted row came to the lake")
    servers.sql("UPDATE vehicles SET status = 'retired' WHERE id = 1")
    eventually(lambda: len(history("1")) == 2, "the update came to the lake")
    (refused,) = did("quarantine", "show", "vehicles")["rows"]
    assert refused["failed_rule"] == "veh_003"
    assert did("metrics", "show", "--table", "vehicles")["checks"]
    status = did("status")
    assert status["glue"]["state"] == "RUNNING"
    assert status["tables"]["vehicles"]["lag_messages"] is not None

    config.write_text(config.read_text(encoding="utf-8") + BAYS, encoding="utf-8")
    hold_to_readme("pipeline", printed)
    steps = did("deploy", "--yes", "--verify", "e2e")["steps"]
    again = {each["step"]: each["status"] for each in steps}
    assert again["bootstrap-db"] == again["sync-topics"] == again["start glue"] == "done"
    assert steps[-1]["step"] == "canary"
    assert re.fullmatch(r"a row came to the lake in \d+\.\d s", steps[-1]["detail"])
    assert servers.sql("SELECT min(id) FROM vehicles") == [(1,)]
    servers.sql("INSERT INTO bays SELECT id, 'north' FROM generate_series(7, 18) AS id")

    eventually(lambda: len(history("18", "bays")) == 1, "the new table's rows came to the lake")
    servers.sql("UPDATE bays SET label = 'south' WHERE id = 11")
    eventually(lambda: len(history("11", "bays")) == 2, "a row of the new table has changed")
    # It was marked in its file, which what reads it here knows.
    assert b'"deletionVector":{' in newest_commit(fake_aws, "bays")
    assert len(history("1")) == 2
    seeded = did("seed", "--rows", "27", "--bad-share", "0", "--yes")
    assert {each["table"]: each["inserted"] for each in seeded["tables"]}["vehicles"] == 15
    # DMS tells nothing of a truncate that closes a row: only a load does.
    servers.sql("TRUNCATE bays", "INSERT INTO bays VALUES (8, 'south')")
    eventually(lambda: len(history("17")) == 1, "a seeded row came to the lake")
    eventually(lambda: bool(did("quarantine", "show", "bays")["rows"]), "the truncate was refused")
    closing = ("reload", "bays", "--close-missing", "--max-share", "0.95", "--yes")
    assert [each["status"] for each in did(*closing)["steps"]] == ["done", "done"]
    (bay,) = did("history", "show", "bays", "7")["versions"]
    assert not bay["is_current"]

    hold_to_readme("stop", printed)
    # The servers have a capture of their own, which goes on.
    slots = "SELECT slot_name, active FROM pg_replication_slots ORDER BY active"

    def states() -> list[bool]:
        return [active for _, active in servers.sql(slots)]

    eventually(lambda: states() == [False, True], "PostgreSQL has seen the end of DMS's connection")
    (left, still_read) = servers.sql(slots)
    gone = ("teardown", "--confirm", "demo", "--retain", "none", "--final-snapshot")
    code, out, err = cdcctl(*gone)
    assert code == 0, err
    assert f"replication slots: done ({left[0]})" in out
    assert servers.sql(slots) == [still_read]
    assert fake_aws.client("s3").list_buckets()["Buckets"] == []
