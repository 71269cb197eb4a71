"""A lake of one table in the session of the tests, and messages for it: batches cost seconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from glue_job.consent import Consent
from glue_job.contract.lake import LakePaths
from glue_job.contract.loader import load
from glue_job.pipeline.report import BatchReport
from glue_job.table import TableJob
from tests.oracle.dms import Record
from tests.spark.engine import Row, read_delta

TABLE = "people"
TOPIC = f"cdc-{TABLE}"
START = datetime(2026, 3, 1, tzinfo=UTC)
CONFIG = """
settings: {delta_bucket: 's3://x-delta-1'}
kafka: {bootstrap_servers: PLACEHOLDER}
source_database: {engine: postgres, schema_name: public}
tables:
  - name: people
    topic: cdc-people
    primary_key: id
    schema:
      - {name: id, type: integer, nullable: false}
      - {name: name, type: string}
      - {name: age, type: integer}
    dq_rules:
      - {id: age_range, type: range, column: age, params: {min: 0, max: 120}, severity: error}
    deequ_checks:
      - {metric: size, threshold: 1}
    transforms:
      - {id: lower_name, type: lower, column: name, order: 1}
"""


def keeping(choice: str) -> str:
    """Give CONFIG with this choice of deletion vectors."""
    key = "    primary_key: id\n"
    assert CONFIG.count(key) == 1
    return CONFIG.replace(key, f"{key}    history: {{deletion_vectors: {choice}}}\n")


_COLUMNS = "topic string, partition int, offset bigint, timestamp timestamp, value string"


def at(minutes: float) -> datetime:
    """Give a time of the scenario."""
    return START + timedelta(minutes=minutes)


def change(operation: str, key: int, minutes: float, record_id: int = 1, **values: Any) -> Record:
    """Give an insert, update or delete committed so many minutes after START."""
    return Record(
        operation=operation,
        table=TABLE,
        data={"id": key, **values},
        emission=at(minutes) + timedelta(seconds=1),
        commit=at(minutes),
        lsn=0x1000 + int(minutes * 100),
        record_id=record_id,
    )


@dataclass(frozen=True)
class Sent:
    """A message with its place in Kafka."""

    partition: int
    offset: int
    value: str | None


@dataclass(frozen=True)
class SmallLake:
    """A folder that holds a lake, and the config its next batch is taken under."""

    spark: SparkSession
    folder: Path
    config: str = CONFIG
    consent: Consent | None = None

    @property
    def paths(self) -> LakePaths:
        """Name the lake's tables."""
        return LakePaths.below(str(self.folder))

    def under(self, config: str) -> SmallLake:
        """Give the same lake under another config."""
        return replace(self, config=config)

    def job(self, *, rebuilds: bool = False) -> TableJob:
        """Open the table as a process that has just started does."""
        loaded = load(self.config, "tables.yaml")
        assert loaded.pipeline is not None, loaded.findings
        job = TableJob(
            self.spark.newSession(),
            self.paths,
            loaded.pipeline,
            loaded.pipeline.table(TABLE),
            config_text=loaded.text,
            config_hash=loaded.config_hash,
            consent=self.consent,
        )
        job.refuse_contradictions(rebuilds=rebuilds)
        job.open()
        return job

    def take(self, batch_id: int, messages: Iterable[Record | Sent | None]) -> BatchReport:
        """Let the job take a batch; a message without a place gets the next after its batch's."""
        placed: list[Sent] = []
        for index, message in enumerate(messages):
            if isinstance(message, Sent):
                placed.append(message)
            else:
                value = None if message is None else message.value
                placed.append(Sent(0, batch_id * 1000 + index, value))
        return self.hand_over(batch_id, placed)

    def hand_over(self, batch_id: int, messages: Sequence[Sent]) -> BatchReport:
        """Let the job take messages as they lie in Kafka."""
        job = self.job()
        rows = [(TOPIC, sent.partition, sent.offset, START, sent.value) for sent in messages]
        frame = job.spark.createDataFrame(rows, _COLUMNS)
        return job.process(
            frame.selectExpr("topic", "'topic-1' AS topic_id", "*")
            .drop("topic")
            .selectExpr(f"'{TOPIC}' AS topic", "*"),
            application_id="small-lake",
            batch_id=batch_id,
            processed_at=datetime.now(UTC),
            source="test",
        )

    def history(self) -> list[Row]:
        """Read the history, by key and time."""
        rows = read_delta(self.paths.history(TABLE))
        return sorted(rows, key=lambda row: (row["id"], row["_effective_from"]))

    def timeline(self) -> list[tuple[Any, ...]]:
        """Give key, name, age and the minutes of each version."""
        return [
            (
                row["id"],
                row["name"],
                row["age"],
                _minutes(row["_effective_from"]),
                None if row["_effective_to"] is None else _minutes(row["_effective_to"]),
            )
            for row in self.history()
        ]

    def quarantine(self) -> list[Row]:
        """Read what was refused, by offset."""
        rows = read_delta(self.paths.quarantine(TABLE))
        return sorted(rows, key=lambda row: (row["_partition"], row["_offset"]))

    def content(self) -> dict[str, list[str]]:
        """Give every row of every table but for the times at which a batch was taken."""
        tables = {
            "history": self.paths.history(TABLE),
            "ledger": self.paths.changes(TABLE),
            "quarantine": self.paths.quarantine(TABLE),
            "metrics": self.paths.metrics,
            "batches": self.paths.batches,
        }
        clock = ("_ingested_at", "_quarantined_at", "timestamp", "processed_at")
        return {
            name: sorted(
                str(sorted((k, str(v)) for k, v in row.items() if k not in clock))
                for row in read_delta(path)
            )
            for name, path in tables.items()
        }

    def versions(self) -> dict[str, int]:
        """Give the version of every Delta table of the lake."""
        return {
            str(log.parent.relative_to(self.folder)): max(
                int(file.stem) for file in log.glob("*.json") if file.stem.isdecimal()
            )
            for log in self.folder.rglob("_delta_log")
        }


def _minutes(time: datetime) -> float:
    return (time - START).total_seconds() / 60
