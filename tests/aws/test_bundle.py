"""The bundle is the same wherever it is built, and holds what Glue and Lambda import."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cdcctl import bundle as bundling
from cdcctl.bundle import Bundle, BundleFile, build_bundle
from cdcctl.errors import CdcctlError
from cdcctl.ui.progress import SilentProgress


@pytest.fixture(scope="module")
def built() -> Bundle:
    return build_bundle(SilentProgress())


def members(bundle: Bundle, name: str) -> dict[str, bytes]:
    (file,) = (each for each in bundle.files if each.name == name)
    with zipfile.ZipFile(io.BytesIO(file.body)) as packed:
        return {member: packed.read(member) for member in packed.namelist()}


def test_two_builds_from_two_folders_are_the_same(built: Bundle, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    for folder in ("cdcctl", "glue_job", "templates", "config"):
        shutil.copytree(folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in copy.rglob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o755)
    (copy / "glue_job" / "__pycache__").mkdir(exist_ok=True)
    (copy / "glue_job" / "__pycache__" / "x.pyc").write_bytes(b"x")
    script = (
        "from cdcctl.bundle import build_bundle\n"
        "from cdcctl.ui.progress import SilentProgress\n"
        "b = build_bundle(SilentProgress())\n"
        "print(b.sha, b.manifest.sha256)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [built.sha, built.manifest.sha256]


def test_every_change_of_a_file_is_another_bundle(built: Bundle) -> None:
    changed = (*built.files[:-1], BundleFile(built.files[-1].name, b"other"))
    assert Bundle(changed).sha != built.sha


def test_no_byte_depends_on_how_a_library_compresses(built: Bundle) -> None:
    for file in built.files:
        if file.name.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(file.body)) as packed:
                assert {each.compress_type for each in packed.infolist()} == {zipfile.ZIP_STORED}


def test_the_job_is_whole_and_no_cache_is_in_it(built: Bundle) -> None:
    held = members(built, "glue_job.zip")
    assert "glue_job/__main__.py" in held
    assert "glue_job/rules/range.py" in held
    assert not [name for name in held if name.endswith(".pyc")]


def test_wheels_are_those_of_glues_python(built: Bundle) -> None:
    wheels = built.names_in("wheels")
    assert any(name.startswith("pydeequ-") for name in wheels)
    compiled = [name for name in wheels if "manylinux" in name]
    assert {name.split("-")[2] for name in compiled} == {"cp311"}
    assert built.names_in("jars") == ("deequ-2.1.0-spark-3.5.jar",)


def test_layers_are_for_the_python_of_the_lambdas(built: Bundle) -> None:
    libraries = [name for name in members(built, "layers/psycopg2.zip") if ".so" in name]
    assert any("cpython-313" in name for name in libraries)
    assert not [name for name in libraries if "cpython-311" in name]
    assert "python/kafka/__init__.py" in members(built, "layers/kafka.zip")


def test_each_function_brings_every_module_that_it_imports(built: Bundle) -> None:
    for name in ("sql-runner", "kafka-admin", "athena-table-creator", "msk-bootstrap-servers"):
        held = members(built, f"lambdas/{name}.zip")
        assert "index.py" in held
        for module in ("artefact", "respond"):
            if f"from {module} import" in held["index.py"].decode():
                assert f"{module}.py" in held


def test_the_manifest_lists_every_file(built: Bundle) -> None:
    listed = json.loads(built.manifest.body)
    assert listed["bundle"] == built.sha
    assert [each["name"] for each in listed["files"]] == [file.name for file in built.files]


def test_a_folder_without_the_wheels_names_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDCCTL_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "none").mkdir()
    with pytest.raises(CdcctlError) as caught:
        build_bundle(SilentProgress(), tmp_path / "none")
    assert caught.value.code == "LOC006"
    assert "--artifacts" in caught.value.fix


def test_without_a_network_that_is_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDCCTL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(CdcctlError) as caught:
        build_bundle(SilentProgress())
    assert caught.value.code == "LOC006"
    assert caught.value.why.startswith("no network: pip does not reach its package index")


def test_a_damaged_wheel_in_the_cache_is_fetched_again(
    built: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(bundling._cache().parent, cache)
    monkeypatch.setenv("CDCCTL_CACHE_DIR", str(cache))
    (six,) = cache.glob("wheels/glue-*/six-*.whl")
    six.write_bytes(b"damaged")
    assert build_bundle(SilentProgress()).sha == built.sha
    assert six.stat().st_size > 1000


def test_a_wheel_of_another_content_is_refused(
    built: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "artifacts"
    folder.mkdir()
    for file in built.files:
        if file.name.startswith("wheels/"):
            (folder / Path(file.name).name).write_bytes(file.body)
    (six,) = folder.glob("six-*.whl")
    with zipfile.ZipFile(six, "a") as packed:
        packed.writestr("six-evil.py", "")
    monkeypatch.setenv("CDCCTL_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(CdcctlError) as caught:
        build_bundle(SilentProgress(), folder)
    assert caught.value.code == "LOC005"
    assert not (bundling._cache() / "glue").exists()
