"""The environment of the fake: made once for a lock file, kept in the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

from platformdirs import user_cache_path

LOCK = Path(__file__).with_name("requirements.lock")
_INSTALL_SECONDS = 600


def environment_folder() -> Path:
    """Name the folder after the lock file's hash and this Python: a change makes a new one."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    python = f"py{sys.version_info.major}{sys.version_info.minor}"
    return user_cache_path("cdcctl") / "fakeaws" / f"{digest}-{python}"


def fake_python() -> Path:
    """Give the interpreter that has ministack, made when there is none.

    `FAKE_AWS_PYTHON` names one that is there already.
    """
    named = os.environ.get("FAKE_AWS_PYTHON")
    if named:
        return Path(named)
    folder = environment_folder()
    python = folder / "bin" / "python"
    complete = folder / "complete"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            _make(folder, python)
            complete.touch()
    return python


def _make(folder: Path, python: Path) -> None:
    venv.create(folder, with_pip=True, clear=True)
    install = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    done = subprocess.run(
        [*install, "--require-hashes", "--only-binary=:all:", "-r", str(LOCK)],
        capture_output=True,
        text=True,
        timeout=_INSTALL_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the fake's environment could not be made:\n{done.stderr[-2000:]}")
