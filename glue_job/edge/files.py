"""Small text files of the lake, on a local disk or S3, through Hadoop's file systems."""

from __future__ import annotations

from typing import Any

from pyspark.sql import SparkSession


def read_text(spark: SparkSession, path: str) -> str | None:
    """Read a file; None when there is none."""
    system, target = _locate(spark, path)
    if not system.exists(target):
        return None
    stream = system.open(target)
    try:
        jvm: Any = spark._jvm
        return str(jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
    finally:
        stream.close()


def write_text(spark: SparkSession, path: str, text: str) -> None:
    """Write a file as a whole, replacing it."""
    system, target = _locate(spark, path)
    stream = system.create(target, True)
    try:
        stream.write(bytearray(text.encode()))
    finally:
        stream.close()


def _locate(spark: SparkSession, path: str) -> tuple[Any, Any]:
    jvm: Any = spark._jvm
    java_session: Any = spark._jsparkSession
    target = jvm.org.apache.hadoop.fs.Path(path)
    return target.getFileSystem(java_session.sessionState().newHadoopConf()), target
