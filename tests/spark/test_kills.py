"""`cdcctl local run` is killed and run again; the lake is that of one clean run, all content."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

import pytest
from pyspark.sql import SparkSession

from tests.oracle.dms import Record
from tests.spark.engine import Workspace
from tests.spark.small_lake import TOPIC, SmallLake, change, keeping

pytestmark = [pytest.mark.spark, pytest.mark.timeout(1800)]

SEED = 20261126
RANDOM_KILLS = 50
FILES: Mapping[str, list[Record | str | None]] = {
    "1.jsonl": [
        change("insert", 1, 1, name="Ann", age=30),
        change("insert", 2, 2, name="Bob", age=400),
        change("insert", 3, 3, name="Cid", age=50),
        None,
    ],
    "2.jsonl": [
        change("update", 1, 5, name="Anna", age=31),
        change("update", 1, 2, name="Annie", age=30),
        change("insert", 3, 3, name="Cid", age=50),
        "{",
    ],
    "3.jsonl": [
        change("delete", 3, 8),
        change("update", 1, 7, record_id=2, name="Anna", age=33),
        change("update", 1, 7, record_id=1, name="Anna", age=32),
        change("update", 2, 9, name="Bob", age=-1),
        change("insert", 3, 12, name="Cid", age=51),
        change("update", 1, 6, name="Late", age=33),
    ],
}


def workspace(folder: Path) -> Workspace:
    made = Workspace(folder, _config(folder))
    offset = 0
    for name, values in FILES.items():
        lines = []
        for value in values:
            text = value.value if isinstance(value, Record) else value
            lines.append(
                {
                    "topic": TOPIC,
                    "partition": 0,
                    "offset": offset,
                    "timestamp": 1772323200000,
                    "key": None,
                    "value": text,
                }
            )
            offset += 1
        made.add_file(name, lines)
    return made


def _config(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "tables.yaml"
    # Files of this size would be copied; the job is to be killed among deletion vectors as well.
    file.write_text(keeping("always"))
    return file


def content(spark: SparkSession, made: Workspace) -> dict[str, list[str]]:
    """Give all content; the lake's own id, which names its batches, is left out."""
    tables = SmallLake(spark, made.lake).content()
    own = re.compile(r"local-run/[-0-9a-f]{36}")
    return {name: [own.sub("local-run", row) for row in rows] for name, rows in tables.items()}


@pytest.fixture(scope="module")
def clean(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    made = workspace(tmp_path_factory.mktemp("clean"))
    made.run()
    found = content(spark, made)
    assert len(found["history"]) == 7
    assert len(found["quarantine"]) == 3
    return found


def begin(made: Workspace, failpoint: str = "") -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cdcctl", "local", "run", "--config", str(made.config)]
    command += ["--messages", str(made.messages), "--lake", str(made.lake)]
    hooks = {"CDCCTL_TEST_HOOKS": "1", "CDCCTL_FAILPOINT": failpoint} if failpoint else {}
    return subprocess.Popen(
        command,
        env={**os.environ, **hooks},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_killed_in_each_batch_at_another_write(
    spark: SparkSession, clean: dict[str, list[str]], tmp_path: Path
) -> None:
    made = workspace(tmp_path)
    for failpoint in ("after-quarantine:kill", "before-history@2:kill", "after-history@2:kill"):
        assert begin(made, failpoint).wait(120) == -signal.SIGKILL, failpoint
    made.run()
    assert content(spark, made) == clean
    versions = made.delta_versions()
    made.run()
    assert made.delta_versions() == versions


def new_file(folder: Path, pattern: str, known: set[Path]) -> Callable[[], bool]:
    return lambda: bool(set(folder.glob(pattern)) - known)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "pattern"),
    [
        ("delta/people", "**/*.parquet"),
        ("delta/people/_delta_log", "*.json"),
        ("delta/_changes/people", "*.parquet"),
        ("delta/_changes/people/_delta_log", "*.json"),
        ("delta/_batches/_delta_log", "*.json"),
    ],
)
def test_killed_inside_a_write_of_the_jvm(
    spark: SparkSession,
    clean: dict[str, list[str]],
    tmp_path: Path,
    table: str,
    pattern: str,
) -> None:
    """The first new file of each run is the moment of its end, until nothing is left to do."""
    made = workspace(tmp_path)
    folder = made.lake / table
    kills = 0
    for _ in range(8):
        known = set(folder.glob(pattern))
        process = begin(made)
        appeared = new_file(folder, pattern, known)
        while process.poll() is None and not appeared():
            time.sleep(0.002)
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        kills += 1
    made.run()
    assert kills > 1
    assert content(spark, made) == clean


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_killed_at_random_times(
    spark: SparkSession, clean: dict[str, list[str]], tmp_path: Path
) -> None:
    random = Random(SEED)
    kills = 0
    lake = 0
    print(f"seed {SEED}")  # noqa: T201 - shown when the test fails
    while kills < RANDOM_KILLS:
        made = workspace(tmp_path / f"lake-{lake}")
        lake += 1
        for _ in range(10):
            process = begin(made)
            try:
                assert process.wait(random.uniform(3.0, 20.0)) == 0
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
        made.run()
        assert content(spark, made) == clean, f"lake {lake} after {kills} kills"
