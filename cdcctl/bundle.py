"""The bundle: job, wheels, jar, Lambdas and layers, named by the hash of all of them.

Nothing in it depends on time, machine or checkout: two builds are the same, byte for byte.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdcctl.errors import CdcctlError
from cdcctl.shipped import shipped

if TYPE_CHECKING:
    from cdcctl.ui.progress import Progress

_LOCKS = Path(__file__).with_name("locks")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FUNCTIONS = ("athena-table-creator", "kafka-admin", "msk-bootstrap-servers", "sql-runner")
_LAYERS = ("psycopg2", "kafka")
_GLUE_PYTHON = "3.11"
_LAMBDA_PYTHON = "3.13"
_PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64")
_NO_NETWORK = (
    "Name or service not known",
    "Temporary failure in name resolution",
    "nodename nor servname provided",
    "Failed to resolve",
    "Network is unreachable",
    "No route to host",
    "Connection refused",
    "Failed to establish a new connection",
    "ConnectTimeoutError",
    "timed out",
    "Tunnel connection failed",
)
"""What pip repeats of the system where an address cannot be reached."""
_ENTRY = '''"""Starts the job: Glue runs this file, the job itself is in glue_job.zip."""

import sys

from glue_job.__main__ import main

code = main()
if code:
    # Glue calls a run failed when its script raises; a bare exit code is lost.
    raise SystemExit(f"the job ended with exit code {code}")
'''


@dataclass(frozen=True)
class BundleFile:
    """One file below `code/<sha>/`."""

    name: str
    body: bytes

    @cached_property
    def sha256(self) -> str:
        """Give the file's own hash."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True)
class Bundle:
    """Every file of the bundle but the manifest, in the order of their names."""

    files: tuple[BundleFile, ...]

    @cached_property
    def sha(self) -> str:
        """Give the hash that names the bundle's folder."""
        return hash_of_files(self._listed)

    @property
    def _listed(self) -> list[dict[str, Any]]:
        return [
            {"name": file.name, "size": len(file.body), "sha256": file.sha256}
            for file in self.files
        ]

    @cached_property
    def manifest(self) -> BundleFile:
        """Give the list of all files with size and hash."""
        text = json.dumps({"bundle": self.sha, "files": self._listed}, indent=1) + "\n"
        return BundleFile("manifest.json", text.encode())

    def names_in(self, folder: str) -> tuple[str, ...]:
        """Name the files of a folder, such as `wheels`."""
        start = f"{folder}/"
        return tuple(f.name.removeprefix(start) for f in self.files if f.name.startswith(start))


def hash_of_files(listed: Iterable[Mapping[str, Any]]) -> str:
    """Give the hash that stands for the files of a manifest."""
    lines = "".join(f"{each['sha256']}  {each['name']}\n" for each in listed)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def build_bundle(progress: Progress, artifacts: Path | None = None) -> Bundle:
    """Build the bundle; wheels and jar come from the cache, the registries, or `artifacts`."""
    progress.step("packaging the job and the Lambdas")
    files = [
        BundleFile("glue_job.zip", _zipped(_job_files())),
        BundleFile("main.py", _ENTRY.encode()),
        *(BundleFile(f"lambdas/{name}.zip", _zipped(_function_files(name))) for name in _FUNCTIONS),
    ]
    files += [
        BundleFile(f"wheels/{wheel.name}", wheel.read_bytes())
        for wheel in _wheels("glue", _GLUE_PYTHON, progress, artifacts)
    ]
    files += [
        BundleFile(f"layers/{name}.zip", _zipped(_layer_files(name, progress, artifacts)))
        for name in _LAYERS
    ]
    files.append(_deequ(progress, artifacts))
    return Bundle(tuple(sorted(files, key=lambda file: file.name)))


def _job_files() -> Iterator[tuple[str, bytes]]:
    import glue_job

    root = Path(glue_job.__file__).parent
    for path in root.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"glue_job/{path.relative_to(root).as_posix()}", path.read_bytes()


def _function_files(name: str) -> Iterator[tuple[str, bytes]]:
    folder = shipped("templates") / "lambdas"
    for path in (*(folder / name).glob("*.py"), *(folder / "shared").glob("*.py")):
        yield path.name, path.read_bytes()


def _layer_files(
    name: str, progress: Progress, artifacts: Path | None
) -> Iterator[tuple[str, bytes]]:
    for wheel in _wheels(name, _LAMBDA_PYTHON, progress, artifacts):
        with zipfile.ZipFile(wheel) as packed:
            for member in packed.namelist():
                if not member.endswith("/"):
                    yield f"python/{member}", packed.read(member)


def _zipped(members: Iterable[tuple[str, bytes]]) -> bytes:
    """Pack files in the order of their names, all with one time and one mode.

    They are stored: what a deflated file's bytes are depends on the build of zlib.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, body in sorted(members):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            # The system that made it is part of the file: 3 is Unix.
            entry.create_system = 3
            archive.writestr(entry, body)
    return packed.getvalue()


def _wheels(name: str, python: str, progress: Progress, artifacts: Path | None) -> tuple[Path, ...]:
    """Give the wheels of a lock file for another Python; pip checks each by its hash."""
    lock = _LOCKS / f"{name}.lock"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    folder = _cache() / f"{name}-{wanted}"
    if folder.is_dir() and not _is_intact(folder, lock):
        progress.step(f"the cached wheels of {name} are damaged, fetched again")
        shutil.rmtree(folder)
    if not folder.is_dir():
        progress.step(f"fetching the wheels of {name} for Python {python}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as staging:
            _download(lock, python, Path(staging), artifacts)
            Path(staging).chmod(0o755)
            fetched = Path(staging) / "wheels"
            fetched.rename(folder)
    return tuple(sorted(folder.glob("*.whl")))


def _is_intact(folder: Path, lock: Path) -> bool:
    """Tell whether the cache holds one wheel a package, each with a hash of the lock file."""
    text = lock.read_text(encoding="utf-8")
    wheels = list(folder.glob("*.whl"))
    packages = sum("==" in line for line in text.splitlines())
    return len(wheels) == packages and all(
        hashlib.sha256(wheel.read_bytes()).hexdigest() in text for wheel in wheels
    )


def _download(lock: Path, python: str, staging: Path, artifacts: Path | None) -> None:
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--require-hashes", "--no-deps", "--only-binary=:all:", "--implementation", "cp"),
        *("--python-version", python, "--dest", str(staging / "wheels")),
        *(part for platform in _PLATFORMS for part in ("--platform", platform)),
        *("--requirement", str(lock)),
    ]
    if artifacts is not None:
        command += ["--no-index", "--find-links", str(artifacts)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    why = said[0].removeprefix("ERROR: ") if said else done.stderr.strip()[-300:]
    unreached = next((text for text in _NO_NETWORK if text in done.stderr), None)
    if unreached is not None:
        why = f"no network: pip does not reach its package index ({unreached})"
    is_damaged = "HASHES" in done.stderr or "do not match" in done.stderr
    raise CdcctlError(
        "LOC005" if is_damaged else "LOC006",
        f"a wheel is not what {lock.name} asks for"
        if is_damaged
        else f"the wheels of {lock.name} cannot be fetched",
        why=why,
        fix="give a folder with the wheels: --artifacts DIR (the cache of another machine will do)",
    )


def _deequ(progress: Progress, artifacts: Path | None) -> BundleFile:
    from cdcctl.local.artifacts import SPARK_LOCK, only_jar

    jar = only_jar(SPARK_LOCK, "deequ", progress, artifacts)
    return BundleFile(f"jars/{jar.name}", jar.read_bytes())


def _cache() -> Path:
    from cdcctl.local.artifacts import cache_directory

    return cache_directory() / "wheels"
