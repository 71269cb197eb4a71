"""Lets the job runs of an account be real: Spark on this machine, `s3://` in the fake."""

from __future__ import annotations

import sys
from pathlib import Path

from cdcctl.local.artifacts import locked_jars, spark_jars
from cdcctl.local.java import find_java
from cdcctl.ui.progress import SilentProgress
from tests.fakeaws.fixture import FakeAws

S3_LOCK = Path(__file__).with_name("s3-jars.lock")


def run_jobs_here(fake: FakeAws, **environment: str) -> None:
    """Have Glue's runs start Spark processes; the fetch of its jars is 280 MB, once."""
    progress = SilentProgress()
    jars = [*spark_jars(progress), *locked_jars(S3_LOCK, "S3", progress)]
    fake.settings(
        glue_python=sys.executable,
        glue_jars=",".join(map(str, jars)),
        glue_env={"JAVA_HOME": str(find_java().path), **environment},
    )
