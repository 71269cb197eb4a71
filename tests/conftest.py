"""One Spark session for all tests that need one: that of `local run`."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from cdcctl.local.job import SHORT_LIVED_JVM, start_spark
from cdcctl.ui.progress import SilentProgress
from tests.fakeaws.fixture import fake_aws, fake_aws_server  # noqa: F401 - found by name
from tests.schedule import (  # noqa: F401 - found by name
    pytest_collection_modifyitems,
    pytest_xdist_make_scheduler,
)

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell without job control lets what it starts with `&` ignore interrupts, and every child
    # inherits that: a command that a test interrupts would go on.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Every JVM of the tests lives for minutes: Spark's, and those of stacks, demos and Glue's runs.
os.environ.setdefault("JDK_JAVA_OPTIONS", SHORT_LIVED_JVM)


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """Start a session of two cores in UTC, with Delta and Deequ."""
    pytest.importorskip("pyspark")
    session = start_spark("cdcctl tests", SilentProgress(), None, None)
    yield session
    session.stop()
