"""Spark as the job needs it, on Glue and on a laptop."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark.sql import SparkSession

BATCH_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
    # A batch is many small plans over wide expressions: compiling each costs more than running it.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    # The JVM only interprets a method of more than 8,000 bytes, however often it is called.
    "spark.sql.codegen.hugeMethodLimit": "8000",
    # Inferring filters from expressions as wide as ours takes the planner most of its time.
    "spark.sql.constraintPropagation.enabled": "false",
    # Spark spells every plan out for its event log, again at each adaptive step.
    "spark.sql.ui.explainMode": "simple",
    "spark.sql.maxPlanStringLength": "1000",
    "spark.sql.debug.maxToStringFields": "5",
    # The few keys that are looked up in the ledger are compared with each page, one by one.
    "spark.sql.parquet.pushdown.inFilterThreshold": "200",
    "spark.databricks.delta.snapshotPartitions": "2",
    # Delta keeps each version's totals in a small file; proving them costs a job a commit.
    "spark.databricks.delta.incremental.commit.verify": "false",
    "spark.databricks.delta.allFilesInCrc.verificationMode.enabled": "false",
    "spark.databricks.delta.schema.autoMerge.enabled": "false",
    "spark.sql.sources.partitionOverwriteMode": "static",
    # Else all rows are sorted by the partition column before they are written.
    "spark.sql.maxConcurrentOutputFileWriters": "8",
}
"""Set on the session of every batch: foreachBatch runs in a clone with adaptive execution off."""

LOCAL_SETTINGS = {
    # With as many partitions as cores there is nothing to adapt, and each step is planned once.
    "spark.sql.adaptive.enabled": "false",
}
"""Set on the session of every batch on a laptop, after BATCH_SETTINGS."""

_WORTH_COMPILING = 10_000
"""Rows of a batch from which generated code pays for its compilation (tests/benchmarks)."""

_COMPILED = {
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.codegen.factoryMode": "FALLBACK",
}

_DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # The classes of a hundred plans or more come again with each batch; with Spark's 100 entries
    # they are compiled again, and run slowly again until the JVM has optimised them.
    "spark.sql.codegen.cache.maxEntries": "2000",
    "spark.redaction.regex": "(?i)secret|password|token|jaas|access[.]?key",
}


def start(name: str, *, jars: str = "", local_cores: int | None = None) -> SparkSession:
    """Get the session: Glue's own, or a local one of `local_cores` with `jars` (comma list)."""
    builder = SparkSession.builder.appName(name)
    for key, value in {**_DELTA, **BATCH_SETTINGS}.items():
        builder = builder.config(key, value)
    if local_cores is not None:
        scratch = tempfile.gettempdir()
        builder = (
            builder.master(f"local[{local_cores}]")
            .config("spark.ui.enabled", "false")
            # Hadoop's default for local files writes a checksum file beside each, with two more
            # child processes to set its permissions.
            .config("spark.hadoop.fs.file.impl", "org.apache.hadoop.fs.RawLocalFileSystem")
            .config(
                "spark.hadoop.fs.AbstractFileSystem.file.impl",
                "org.apache.hadoop.fs.local.RawLocalFs",
            )
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.memory", os.environ.get("CDCCTL_DRIVER_MEMORY", "2g"))
            .config("spark.sql.warehouse.dir", f"{scratch}/cdcctl-warehouse")
            .config("spark.sql.shuffle.partitions", str(local_cores))
            .config("spark.ui.showConsoleProgress", "false")
        )
    if jars:
        builder = builder.config("spark.jars", jars)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def java_pid(spark: SparkSession) -> int:
    """Give the id of the Java process that does the session's work."""
    jvm: Any = spark._jvm
    return int(jvm.java.lang.ProcessHandle.current().pid())


def prepare(spark: SparkSession) -> SparkSession:
    """Set what every batch needs on its own session."""
    settings = dict(BATCH_SETTINGS)
    if (spark.sparkContext.master or "").startswith("local"):
        settings.update(LOCAL_SETTINGS)
    for key, value in settings.items():
        spark.conf.set(key, value)
    return spark


@contextmanager
def compiling(spark: SparkSession, rows: int) -> Iterator[None]:
    """Let Spark generate code for as long as the context lasts, when `rows` are worth it."""
    if rows < _WORTH_COMPILING:
        yield
        return
    for key, value in _COMPILED.items():
        spark.conf.set(key, value)
    try:
        yield
    finally:
        for key in _COMPILED:
            spark.conf.set(key, BATCH_SETTINGS[key])
