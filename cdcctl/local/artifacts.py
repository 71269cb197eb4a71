"""Jars by lock file: fetched once into the user's cache, verified before every use."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from cdcctl.errors import CdcctlError
from cdcctl.local.java import find_java
from cdcctl.local.truststore import trust_options

if TYPE_CHECKING:
    from cdcctl.ui.progress import Progress

SPARK_LOCK = Path(__file__).with_name("spark-jars.lock")
BROKER_LOCK = Path(__file__).with_name("broker-jars.lock")

IVY_SETTINGS = """<ivysettings>
  <settings defaultResolver="releases"/>
  <caches defaultCacheDir={cache}/>
  <resolvers><ibiblio name="releases" m2compatible="true" usepoms="false"/></resolvers>
</ivysettings>
"""
"""The lock file is flat, so no POM is needed, and the fetch is one request a jar."""

IVY_MODULE = """<ivy-module version="2.0">
  <info organisation="cdcctl" module="jars"/>
  <configurations><conf name="default"/></configurations>
  <dependencies>{dependencies}</dependencies>
</ivy-module>
"""


@dataclass(frozen=True)
class Artifact:
    """One line of a lock file."""

    group: str
    name: str
    version: str
    sha256: str
    file: str

    @property
    def coordinates(self) -> str:
        """Spell the artifact as Maven does."""
        return f"{self.group}:{self.name}:{self.version}"


def spark_jars(progress: Progress, artifacts_dir: Path | None = None) -> list[Path]:
    """Give the verified jars that Spark needs beside those of pyspark."""
    return locked_jars(SPARK_LOCK, "Spark", progress, artifacts_dir)


def broker_jars(progress: Progress, artifacts_dir: Path | None = None) -> list[Path]:
    """Give the verified jars of the Kafka broker: its whole class path."""
    return locked_jars(BROKER_LOCK, "Kafka broker", progress, artifacts_dir)


def cache_directory() -> Path:
    """Give the folder that keeps fetched jars: CDCCTL_CACHE_DIR, else the user's cache."""
    configured = os.environ.get("CDCCTL_CACHE_DIR")
    if configured:
        return Path(configured).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_path("cdcctl")) / "artifacts"


def read_lock(lock_file: Path) -> list[Artifact]:
    """Read `group:artifact:version sha256 file` lines; `#` starts a comment."""
    artifacts = []
    for line in lock_file.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        coordinates, sha256, file = line.split()
        group, name, version = coordinates.split(":")
        artifacts.append(Artifact(group, name, version, sha256, file))
    return artifacts


def only_jar(
    lock_file: Path, name: str, progress: Progress, artifacts_dir: Path | None = None
) -> Path:
    """Give one verified jar of a lock file by its artifact's name."""
    artifacts = [each for each in read_lock(lock_file) if each.name == name]
    return _verified(artifacts, name, progress, artifacts_dir)[0]


def missing(lock_file: Path) -> list[str]:
    """Name the jars of a lock file that the cache does not hold intact."""
    cache = cache_directory()
    return [each.file for each in read_lock(lock_file) if not _is_intact(cache, each)]


def locked_jars(
    lock_file: Path, purpose: str, progress: Progress, artifacts_dir: Path | None = None
) -> list[Path]:
    """Give the verified jars of a lock file; what the cache lacks is fetched."""
    return _verified(read_lock(lock_file), purpose, progress, artifacts_dir)


def _verified(
    artifacts: Sequence[Artifact], purpose: str, progress: Progress, artifacts_dir: Path | None
) -> list[Path]:
    cache = cache_directory()
    with _locked(cache):
        wanted = [artifact for artifact in artifacts if not _is_intact(cache, artifact)]
        damaged = [artifact.file for artifact in wanted if (cache / artifact.file).exists()]
        if damaged:
            progress.step(f"damaged in the cache, fetched again: {', '.join(damaged)}")
        if wanted and artifacts_dir is not None:
            _take_from_folder(wanted, cache, artifacts_dir)
        elif wanted:
            _fetch(wanted, cache, purpose, progress)
    return [cache / artifact.file for artifact in artifacts]


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        handle = (cache / ".lock").open("w")
    except OSError as error:
        raise CdcctlError(
            "LOC001",
            f"the jar cache {cache} cannot be written",
            why=str(error),
            fix="set CDCCTL_CACHE_DIR to a folder that can be written",
        ) from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _is_intact(folder: Path, artifact: Artifact) -> bool:
    path = folder / artifact.file
    if not path.is_file():
        return False
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest() == artifact.sha256


def _place(source: Path, artifact: Artifact, cache: Path) -> None:
    source.replace(cache / artifact.file)


def _take_from_folder(wanted: Sequence[Artifact], cache: Path, folder: Path) -> None:
    """Copy, then verify the copy: whoever owns the folder may change it meanwhile."""
    with tempfile.TemporaryDirectory(dir=cache, prefix=".part-") as staging:
        copies = Path(staging)
        for artifact in wanted:
            if (folder / artifact.file).is_file():
                shutil.copyfile(folder / artifact.file, copies / artifact.file)
        _refuse_damaged(wanted, copies, cache, folder)
        for artifact in wanted:
            _place(copies / artifact.file, artifact, cache)


def _refuse_damaged(wanted: Sequence[Artifact], copies: Path, cache: Path, folder: Path) -> None:
    refused = [artifact for artifact in wanted if not _is_intact(copies, artifact)]
    if refused:
        missing = [a.coordinates for a in refused if not (copies / a.file).exists()]
        damaged = [a.coordinates for a in refused if (copies / a.file).exists()]
        reasons = []
        if missing:
            reasons.append(f"missing: {', '.join(missing)}")
        if damaged:
            reasons.append(f"not what the lock file asks for (sha256): {', '.join(damaged)}")
        raise CdcctlError(
            "LOC002",
            f"{len(refused)} of {len(wanted)} jars cannot be taken from {folder}",
            why="; ".join(reasons),
            fix=f"copy the jars from {cache} of a machine with network into {folder}",
        )


def _fetch(wanted: Sequence[Artifact], cache: Path, purpose: str, progress: Progress) -> None:
    remaining = list(wanted)
    output = ""
    for _attempt in range(2):
        with tempfile.TemporaryDirectory(dir=cache, prefix=".fetch-") as staging:
            progress.step(f"fetching {len(remaining)} {purpose} jars")
            output = _run_ivy(remaining, Path(staging), progress)
            for artifact in list(remaining):
                if _is_intact(Path(staging) / "jars", artifact):
                    _place(Path(staging) / "jars" / artifact.file, artifact, cache)
                    remaining.remove(artifact)
            wrong = [a for a in remaining if (Path(staging) / "jars" / a.file).exists()]
        if not remaining:
            return
        if not wrong:
            break
    names = ", ".join(artifact.coordinates for artifact in remaining[:3])
    more = f" and {len(remaining) - 3} more" if len(remaining) > 3 else ""
    if wrong:
        raise CdcctlError(
            "LOC003",
            f"a fetched jar is not what the lock file asks for: {wrong[0].coordinates}",
            why=f"its sha256 is not {wrong[0].sha256}, twice in a row",
            fix="check what stands between this machine and the repository (proxy, mirror), "
            "or give a folder with the jars: --artifacts DIR",
        )
    raise CdcctlError(
        "LOC004",
        f"{purpose} jars cannot be fetched: {names}{more}",
        why=_ivy_reason(output),
        fix="check the network, or give a folder that holds the jars: --artifacts DIR "
        "(the cache folder of another machine will do)",
    )


def _run_ivy(wanted: Sequence[Artifact], staging: Path, progress: Progress) -> str:
    import pyspark

    ivy_jar = next((Path(pyspark.__file__).parent / "jars").glob("ivy-*.jar"))
    settings, module = staging / "settings.xml", staging / "ivy.xml"
    settings.write_text(IVY_SETTINGS.format(cache=quoteattr(str(staging / "ivy"))))
    module.write_text(
        IVY_MODULE.format(
            dependencies="".join(
                f"<dependency org={quoteattr(a.group)} name={quoteattr(a.name)}"
                f' rev={quoteattr(a.version)} transitive="false" conf="default->default"/>'
                for a in wanted
            )
        )
    )
    java = find_java()
    command = [
        str(java.executable),
        *trust_options(java, staging),
        *("-cp", str(ivy_jar), "org.apache.ivy.Main"),
        *("-settings", str(settings), "-ivy", str(module)),
        *("-retrieve", f"{staging}/jars/[artifact]-[revision].[ext]"),
    ]
    lines: list[str] = []
    done = 0
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as ivy:
        try:
            for line in ivy.stdout or ():
                lines.append(line)
                if "[SUCCESSFUL" in line:
                    done += 1
                    progress.advance(done, len(wanted))
        except BaseException:
            ivy.kill()
            raise
    return "".join(lines)


def _ivy_reason(output: str) -> str:
    for pattern in (r"UnknownHostException.*", r"ConnectException.*", r"SSL\w*Exception.*"):
        match = re.search(pattern, output)
        if match:
            return f"the repository cannot be reached ({match[0].strip()})"
    warnings = [
        line.strip() for line in output.splitlines() if "UNRESOLVED" in line or "FAILED" in line
    ]
    if warnings:
        return f"the repository did not give them ({warnings[0].strip(': ')})"
    return "the repository cannot be reached"
