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


def exists(spark: SparkSession, path: str) -> bool:
    """Tell whether there is a file or folder."""
    system, target = _locate(spark, path)
    return bool(system.exists(target))


def names(spark: SparkSession, folder: str) -> list[str]:
    """Name what lies in a folder; nothing when there is none."""
    system, target = _locate(spark, folder)
    if not system.exists(target):
        return []
    return [str(found.getPath().getName()) for found in system.listStatus(target)]


def write_text(spark: SparkSession, path: str, text: str) -> None:
    """Write a file as a whole, replacing it: a reader sees all of it or the one before."""
    system, target = _locate(spark, path)
    _, draft = _locate(spark, f"{target.getParent().toString()}/.{target.getName()}.draft")
    stream = system.create(draft, True)
    try:
        stream.write(bytearray(text.encode()))
    finally:
        stream.close()
    if not system.rename(draft, target):
        system.delete(target, False)
        system.rename(draft, target)


def _locate(spark: SparkSession, path: str) -> tuple[Any, Any]:
    jvm: Any = spark._jvm
    java_session: Any = spark._jsparkSession
    target = jvm.org.apache.hadoop.fs.Path(path)
    return target.getFileSystem(java_session.sessionState().newHadoopConf()), target
