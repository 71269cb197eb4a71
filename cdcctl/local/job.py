"""Runs the job here: as a child process on Kafka, or in this process on message files."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.local.artifacts import spark_jars
from cdcctl.local.java import find_java
from glue_job.edge.lease import LakeLock

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from cdcctl.operations.configuration import LoadedConfig
    from cdcctl.operations.local_run import MessageFile
    from cdcctl.ui.progress import Progress
    from glue_job.consent import Consent
    from glue_job.pipeline.report import BatchReport
    from glue_job.table import TableJob

_MESSAGE = "topic string, partition int, offset bigint, timestamp bigint, key string, value string"
_MANIFEST = "_local_run.json"
_CORES = 2
SHORT_LIVED_JVM = (
    "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+DisplayVMOutputToStderr"
)
"""A JVM that lives for minutes on two cores spends more on its second compiler than it gains.

The first compiler alone gets 48 MB for its code, which Spark fills in a minute; nothing is compiled
from then on, and the JVM says so, which must not go to stdout.
"""


def job_command(
    *,
    config: Path,
    lake: Path,
    bootstrap_servers: str,
    sasl_username: str,
    sasl_password_file: Path,
    checkpoint: Path,
    trigger_seconds: float,
    stop_file: Path,
    state_file: Path,
) -> Sequence[str]:
    """Give the command line of the job on the local broker."""
    return [
        *(sys.executable, "-m", "glue_job"),
        *("--config", str(config)),
        *("--lake", str(lake)),
        *("--bootstrap-servers", bootstrap_servers),
        *("--security-protocol", "SASL_PLAINTEXT"),
        *("--sasl-username", sasl_username),
        *("--sasl-password-file", str(sasl_password_file)),
        *("--checkpoint", str(checkpoint)),
        *("--trigger-seconds", str(trigger_seconds)),
        *("--stop-file", str(stop_file)),
        *("--state-file", str(state_file)),
    ]


@dataclass(frozen=True)
class ManifestEntry:
    """A message file that was begun, and whether every batch of it is in the lake."""

    file: str
    sha256: str
    applied: bool


class Manifest:
    """Which message files a lake has taken, in order: a file's place is its batch id."""

    def __init__(self, lake: Path) -> None:
        """Read the manifest of a lake, or begin one."""
        self._file = lake / _MANIFEST
        self.lake_id = str(uuid.uuid4())
        self.entries: list[ManifestEntry] = []
        if not self._file.exists():
            return
        try:
            held = json.loads(self._file.read_text(encoding="utf-8"))
            self.lake_id = held["lake_id"]
            self.entries = [ManifestEntry(**entry) for entry in held["files"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CdcctlError(
                "LOC080",
                f"{self._file} is damaged",
                why=str(error),
                fix="restore it, or write a new lake with --lake",
                exit_code=ExitCode.CONFIG,
            ) from error

    def unapplied(self, files: Sequence[Path]) -> list[Path]:
        """Give the files to apply; refuse one that changed or comes before the last applied."""
        known = {entry.file: entry for entry in self.entries}
        last = self.entries[-1].file if self.entries else ""
        fresh = []
        for path in files:
            entry = known.get(path.name)
            if entry is None and path.name < last:
                raise CdcctlError(
                    "LOC081",
                    f"{path} comes before {last}, which this lake has taken already",
                    why="files are micro-batches in name order",
                    fix=f"rename it to follow {last}, or write a new lake with --lake",
                    exit_code=ExitCode.CONFIG,
                )
            if entry is not None and _hash_of(path) != entry.sha256:
                raise CdcctlError(
                    "LOC082",
                    f"{path} changed since this lake took it",
                    why="a batch is known by its file's name and content",
                    fix="put the old content back and the new messages into a new file",
                    exit_code=ExitCode.CONFIG,
                )
            if entry is None or not entry.applied:
                fresh.append(path)
        unfinished = [entry for entry in self.entries if not entry.applied]
        for entry in unfinished:
            if entry.file not in {path.name for path in files}:
                raise CdcctlError(
                    "LOC083",
                    f"{entry.file} was begun in an earlier run and is not there now",
                    why="a batch that was begun must be finished before the next",
                    fix=f"put {entry.file} back into the folder",
                    exit_code=ExitCode.CONFIG,
                )
        return fresh

    def begin(self, name: str, sha256: str) -> int:
        """Note that a file is begun; its number is the batch id."""
        for number, entry in enumerate(self.entries):
            if entry.file == name:
                return number
        self.entries.append(ManifestEntry(name, sha256, applied=False))
        self._write()
        return len(self.entries) - 1

    def finish(self, number: int) -> None:
        """Note that every batch of a file is in the lake."""
        self.entries[number] = replace(self.entries[number], applied=True)
        self._write()

    def _write(self) -> None:
        document = {"lake_id": self.lake_id, "files": [asdict(entry) for entry in self.entries]}
        draft = self._file.with_suffix(".draft")
        with draft.open("w", encoding="utf-8") as out:
            out.write(json.dumps(document, indent=1) + "\n")
            out.flush()
            os.fsync(out.fileno())
        draft.replace(self._file)


class MessageRun:
    """One run over message files: holds the lake for itself, and the Spark session."""

    def __init__(
        self,
        lake: Path,
        config: LoadedConfig,
        artifacts: Path | None,
        consent: Consent | None = None,
    ) -> None:
        """Name the lake; entering takes it."""
        self._consent = consent
        self._lake = lake.absolute()
        self._config = config
        self._artifacts = artifacts
        self._lock: LakeLock | None = None
        self._spark: SparkSession | None = None
        self._jobs: dict[str, TableJob] = {}
        self.manifest: Manifest

    def __enter__(self) -> Self:
        """Take the lake, or say who has it."""
        self._lock = LakeLock(self._lake, "cdcctl local run")
        self._lock.__enter__()
        self.manifest = Manifest(self._lake)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop Spark and give the lake back."""
        if self._spark is not None:
            self._spark.stop()
        if self._lock is not None:
            self._lock.__exit__()

    def start(self, progress: Progress, topics: set[str]) -> None:
        """Start Spark, and compare the lake's tables with the config before anything is written."""
        self._spark = start_spark("cdcctl local run", progress, self._artifacts, self._lock)
        for table in self._config.pipeline.streamed_tables:
            if table.topic in topics:
                job = table_job(self._spark, self._lake, self._config, table.name, self._consent)
                job.refuse_contradictions()
                self._jobs[table.topic] = job
        for job in self._jobs.values():
            job.open()

    def apply(self, file: MessageFile) -> Iterator[BatchReport]:
        """Take one file through the job: a batch for each table in it."""
        from pyspark.sql import functions as F

        from glue_job import failpoints

        number = self.manifest.begin(file.path.name, file.sha256)
        failpoints.reach("before-file")
        for topic in file.topics:
            job = self._jobs[topic]
            rows = (
                job.spark.read.schema(_MESSAGE)
                .json(str(file.path.absolute()))
                .filter(F.col("topic") == topic)
                .dropDuplicates(["partition", "offset"])
                .select(
                    "topic",
                    F.col("topic").alias("topic_id"),
                    "partition",
                    "offset",
                    F.timestamp_millis("timestamp").alias("timestamp"),
                    "value",
                )
            )
            yield job.process(
                rows,
                application_id=f"local-run/{self.manifest.lake_id}",
                batch_id=number,
                processed_at=datetime.now(UTC),
                source=file.path.name,
            )
        failpoints.reach("after-file")
        self.manifest.finish(number)


def start_spark(
    name: str, progress: Progress, artifacts: Path | None, lock: LakeLock | None
) -> SparkSession:
    """Start Spark for this process, with the jars of the local stack; the lock learns of it."""
    jars = spark_jars(progress, artifacts)
    progress.step("starting Spark")
    os.environ.update(find_java().environment())
    os.environ.setdefault("JDK_JAVA_OPTIONS", SHORT_LIVED_JVM)
    from glue_job import session

    spark = session.start(name, jars=",".join(map(str, jars)), local_cores=_CORES)
    if lock is not None:
        lock.note_jvm(session.java_pid(spark))
    return spark


def table_job(
    spark: SparkSession,
    lake: Path,
    config: LoadedConfig,
    table: str,
    consent: Consent | None = None,
) -> TableJob:
    """Give the job of one table of a lake folder, in a session of its own."""
    from glue_job.contract.lake import LakePaths
    from glue_job.table import TableJob

    return TableJob(
        spark.newSession(),
        LakePaths.below(str(lake.absolute())),
        config.pipeline,
        config.pipeline.table(table),
        config_text=config.file.read_text(encoding="utf-8"),
        config_hash=config.config_hash,
        consent=consent,
    )


def _hash_of(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise CdcctlError(
            "LOC072",
            f"the message file {path} cannot be read",
            why=error.strerror or str(error),
            fix="make it readable, or move it out of the folder",
            exit_code=ExitCode.CONFIG,
        ) from error
