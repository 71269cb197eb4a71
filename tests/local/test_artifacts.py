"""Jars come verified or not at all."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cdcctl.errors import CdcctlError
from cdcctl.local import artifacts
from cdcctl.local.artifacts import broker_jars, read_lock, spark_jars
from cdcctl.ui.progress import SilentProgress

pytestmark = pytest.mark.local


class Recorded:
    def __init__(self) -> None:
        self.steps: list[str] = []

    def step(self, text: str) -> None:
        self.steps.append(text)

    def advance(self, done: int, total: int | None = None) -> None:
        pass


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `--artifacts` takes it: the jars of this machine's cache."""
    copied = tmp_path_factory.mktemp("artifacts")
    for jar in (*spark_jars(SilentProgress()), *broker_jars(SilentProgress())):
        shutil.copy(jar, copied)
    return copied


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CDCCTL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("lock", [artifacts.SPARK_LOCK, artifacts.BROKER_LOCK])
def test_a_lock_file_names_every_jar_once_with_its_hash(lock: Path) -> None:
    listed = read_lock(lock)
    assert len({artifact.file for artifact in listed}) == len(listed)
    assert all(len(artifact.sha256) == 64 for artifact in listed)
    assert all(artifact.file == f"{artifact.name}-{artifact.version}.jar" for artifact in listed)


def test_a_folder_serves_a_machine_without_network(folder: Path, cache: Path) -> None:
    jars = spark_jars(SilentProgress(), folder)
    assert {jar.parent for jar in jars} == {cache}
    assert spark_jars(SilentProgress()) == jars


def test_a_damaged_jar_in_the_cache_is_replaced(folder: Path, cache: Path) -> None:
    jar = spark_jars(SilentProgress(), folder)[1]
    jar.write_bytes(b"damaged")
    progress = Recorded()
    assert jar in spark_jars(progress, folder)
    assert progress.steps == [f"damaged in the cache, fetched again: {jar.name}"]
    assert jar.stat().st_size > 10_000


def test_a_damaged_jar_is_fetched_again(folder: Path, cache: Path) -> None:
    broker_jars(SilentProgress(), folder)
    jar = cache / "jopt-simple-5.0.4.jar"
    jar.write_bytes(b"damaged")
    broker_jars(SilentProgress())
    assert jar.stat().st_size > 10_000


def test_a_folder_with_a_damaged_jar_is_refused(folder: Path, cache: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "kafka-clients-3.4.1.jar").write_bytes(b"damaged")
    (other / "commons-pool2-2.11.1.jar").unlink()
    with pytest.raises(CdcctlError) as caught:
        spark_jars(SilentProgress(), other)
    assert (caught.value.code, caught.value.exit_code) == ("LOC002", 1)
    assert "missing: org.apache.commons:commons-pool2:2.11.1" in caught.value.why
    assert "(sha256): org.apache.kafka:kafka-clients:3.4.1" in caught.value.why


def test_a_link_out_of_the_folder_brings_in_what_the_lock_file_asks_for_or_nothing(
    folder: Path, cache: Path, tmp_path: Path
) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    for jar in folder.glob("*.jar"):
        (linked / jar.name).symlink_to(jar)
    assert not any(jar.is_symlink() for jar in spark_jars(SilentProgress(), linked))
    secret = tmp_path / "secret"
    secret.write_text("c4n4ry")
    name = "kafka-clients-3.4.1.jar"
    (linked / name).unlink()
    (linked / name).symlink_to(secret)
    (cache / name).unlink()
    with pytest.raises(CdcctlError) as caught:
        spark_jars(SilentProgress(), linked)
    assert caught.value.code == "LOC002"
    assert not (cache / name).exists()
    assert not list(cache.glob(".part-*"))


def test_without_network_the_error_names_the_way_out(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = "-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=9"
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", nowhere)
    with pytest.raises(CdcctlError) as caught:
        spark_jars(SilentProgress())
    assert (caught.value.code, caught.value.exit_code) == ("LOC004", 1)
    assert "--artifacts DIR" in caught.value.fix
    assert [file.name for file in cache.iterdir()] == [".lock"]


def test_a_jar_that_is_not_what_the_lock_file_asks_for_is_refused(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "jars.lock"
    wrong = "0" * 64
    lock.write_text(f"net.sf.jopt-simple:jopt-simple:5.0.4 {wrong} jopt-simple-5.0.4.jar\n")
    monkeypatch.setattr(artifacts, "SPARK_LOCK", lock)
    with pytest.raises(CdcctlError) as caught:
        spark_jars(SilentProgress())
    assert caught.value.code == "LOC003"
    assert wrong in caught.value.why


def test_two_processes_may_fill_the_cache_at_once(folder: Path, cache: Path) -> None:
    program = (
        "import pathlib, sys; from cdcctl.local.artifacts import broker_jars;"
        "from cdcctl.ui.progress import SilentProgress;"
        "print(len(broker_jars(SilentProgress(), pathlib.Path(sys.argv[1]))))"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(folder)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(2)
    ]
    assert [process.communicate()[0].strip() for process in both] == ["58", "58"]
