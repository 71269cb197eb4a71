"""A table of fifteen columns, a lake with any amount of history, and DMS messages for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from glue_job.contract.lake import OUTCOMES, LakePaths
from glue_job.contract.loader import load
from glue_job.contract.model import Pipeline
from glue_job.pipeline.report import Batch, BatchReport, Watermark
from glue_job.table import TableJob

TABLE = "telemetry"
TOPIC = f"cdc-{TABLE}"
START = datetime(2026, 1, 1, tzinfo=UTC)
_VERSION_SECONDS = 60
_BATCH_SECONDS = 3600

_COLUMNS = """
    schema:
      - {name: id, type: long, nullable: false}
      - {name: vehicle_id, type: long}
      - {name: driver_id, type: integer}
      - {name: recorded_at, type: timestamp}
      - {name: latitude, type: double}
      - {name: longitude, type: double}
      - {name: speed_kmh, type: double}
      - {name: fuel_pct, type: "decimal(5,2)"}
      - {name: odometer_km, type: "decimal(12,3)"}
      - {name: status, type: string}
      - {name: braking, type: boolean}
      - {name: acceleration, type: boolean}
      - {name: note, type: string}
      - {name: phone, type: string}
      - {name: created_at, type: timestamp}
    transforms:
      - {id: tx_1, type: round, column: latitude, params: {decimals: 5}, order: 1}
      - {id: tx_2, type: trim, column: note, order: 2}
      - {id: tx_3, type: mask_pii, column: phone, params: {visible_chars: 4}, order: 3}
"""

_RULES = (
    "{type: not_null, column: vehicle_id}",
    "{type: range, column: speed_kmh, params: {min: 0, max: 350}}",
    "{type: range, column: latitude, params: {min: -90, max: 90}}",
    "{type: range, column: longitude, params: {min: -180, max: 180}}",
    "{type: range, column: fuel_pct, params: {min: 0, max: 100}}",
    '{type: allowed_values, column: status, params: {values: ["on", "off", idle]}}',
    "{type: length, column: note, params: {max: 200}}",
    "{type: regex, column: phone, params: {pattern: '^[0-9*-]+$'}}",
)

_METRICS = """
    deequ_checks:
      - {metric: size, threshold: 1}
      - {metric: completeness, column: vehicle_id, threshold: 0.95}
"""


def config_text(rules: int, *, metrics: bool = False) -> str:
    """Spell a tables.yaml with so many rules on the one table."""
    checks = "".join(
        f"      - {{id: r_{number:02d}, severity: error, {_RULES[number % len(_RULES)][1:]}\n"
        for number in range(rules)
    )
    return (
        "settings: {delta_bucket: 's3://x-delta-1'}\n"
        "kafka: {bootstrap_servers: PLACEHOLDER}\n"
        "source_database: {engine: postgres, schema_name: public}\n"
        "tables:\n"
        f"  - name: {TABLE}\n    topic: {TOPIC}\n    primary_key: id\n"
        f"{_COLUMNS}"
        + (f"    dq_rules:\n{checks}" if rules else "")
        + (_METRICS if metrics else "")
    )


@dataclass(frozen=True)
class Mix:
    """What a batch holds: shares of updates and deletes of live keys, the rest being inserts."""

    rows: int
    updates: float
    deletes: float
    late: int = 0
    """How many of the updates lie in the middle of the history before."""


UPDATE_HEAVY = Mix(100_000, updates=0.87, deletes=0.03)
INSERT_HEAVY = Mix(100_000, updates=0.09, deletes=0.01)


class Bench:
    """A lake with a history, and the job that takes batches into it."""

    def __init__(
        self, spark: SparkSession, lake: Path, *, live: int, closed: int, rules: int, metrics: bool
    ) -> None:
        """Fill the lake: `live` keys with as many closed versions each as make `closed` rows."""
        self.spark = spark
        self.live = live
        self.lake = lake
        text = config_text(rules, metrics=metrics)
        pipeline = load(text, "bench.yaml").pipeline
        assert pipeline is not None, load(text, "bench.yaml").findings
        self.pipeline: Pipeline = pipeline
        self.paths = LakePaths.below(str(lake))
        self.job = TableJob(
            spark.newSession(),
            self.paths,
            pipeline,
            pipeline.table(TABLE),
            config_text=text,
            config_hash="bench",
        )
        self.job.open()
        self._batches = 0
        self._next_key = live
        self._versions = closed // live + 1 if live else 0
        if live:
            self._fill()

    def _fill(self) -> None:
        every = self.spark.range(self.live * self._versions, numPartitions=4)
        number = (F.col("id") / self.live).cast("long")
        since = F.timestamp_seconds(F.lit(START.timestamp()) + number * _VERSION_SECONDS)
        until = F.timestamp_seconds(F.lit(START.timestamp()) + (number + 1) * _VERSION_SECONDS)
        last = number == self._versions - 1
        values = _values(F.col("id") % self.live, number)
        stamped = every.select(
            *[value.alias(name) for name, value in values.items()],
            since.alias("_effective_from"),
            F.when(~last, until).alias("_effective_to"),
            last.alias("_is_current"),
            F.lit(START).alias("_ingested_at"),
            F.array().cast("array<string>").alias("_unknown"),
        )
        (
            stamped.repartitionByRange(4, "_is_current", "_effective_from")
            .write.format("delta")
            .mode("append")
            .save(self.paths.history(TABLE))
        )
        ledger = self.job.lake.ledger_columns()
        given = {
            "_time": F.col("_effective_from"),
            "_emitted_at": F.col("_effective_from"),
            "_kind": F.lit("upsert"),
            "_operation": F.lit("update"),
            "_present": F.array(*[F.lit(name) for name in self.pipeline.table(TABLE).column_names]),
            "_absent": F.array().cast("array<string>"),
            "_sequenced": F.lit(True),
            "_lsn": F.lit("0" * 16),
            "_record_id": F.lit(0),
            "_topic": F.lit(TOPIC),
            "_topic_id": F.lit("before"),
            "_partition": F.lit(0),
            "_offset": F.monotonically_increasing_id(),
            "_release": F.lit(0),
            "_outcome": F.lit("applied"),
            "_ingested_at": F.lit(START),
            "_config_hash": F.lit("bench"),
            "_application_id": F.lit("before"),
            "_batch_id": F.lit(0),
        }
        (
            stamped.select(
                *[
                    (
                        given.get(name, F.col(name) if name in values else F.lit(None))
                        .cast(kind)
                        .alias(name)
                    )
                    for name, kind in ledger.items()
                ]
            )
            .repartitionByRange(4, "_time")
            .write.format("delta")
            .mode("append")
            .save(self.paths.changes(TABLE))
        )
        end = self._time(START + timedelta(seconds=(self._versions - 1) * _VERSION_SECONDS))
        self.job.lake.record(
            BatchReport(
                table=TABLE,
                batch=Batch("before", 0, START, "bench", "before"),
                consumed=0,
                outcomes=dict.fromkeys(OUTCOMES, 0),
                watermark=Watermark(effective=end, emission=end, commit_time_seen=True),
            )
        )

    @staticmethod
    def _time(moment: datetime) -> str:
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")

    def messages(self, mix: Mix, folder: Path) -> DataFrame:
        """Write the next batch's messages as they come from Kafka, and read them back."""
        number = self._batches + 1
        begin = START + timedelta(
            seconds=self._versions * _VERSION_SECONDS + number * _BATCH_SECONDS
        )
        position = F.col("id")
        kind = (
            F.when(position % 1000 < int(mix.updates * 1000), "update")
            .when(position % 1000 < int((mix.updates + mix.deletes) * 1000), "delete")
            .otherwise("insert")
        )
        old_key = F.pmod(F.xxhash64(position, F.lit(number)), F.lit(max(self.live, 1)))
        key = F.when(kind == "insert", F.lit(self._next_key) + position).otherwise(old_key)
        at = F.timestamp_micros(F.lit(int(begin.timestamp() * 1e6)) + position * 1000)
        if mix.late:
            middle = START + timedelta(seconds=self._versions * _VERSION_SECONDS / 2 + 0.5)
            at = F.when(position < mix.late, F.lit(middle)).otherwise(at)
        data = {
            name: value if name in ("id", "vehicle_id", "driver_id") else value.cast("string")
            for name, value in _values(key, F.lit(number)).items()
        }
        for name in ("latitude", "longitude", "speed_kmh"):
            data[name] = data[name].cast("double")
        iso = "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'"
        metadata = F.struct(
            F.date_format(at + F.expr("interval 1 second"), iso).alias("timestamp"),
            F.lit("data").alias("record-type"),
            kind.alias("operation"),
            F.lit("schema-table").alias("partition-key-type"),
            F.lit("public").alias("schema-name"),
            F.lit(TABLE).alias("table-name"),
            position.alias("transaction-id"),
            F.lit(1).alias("transaction-record-id"),
            F.date_format(at, iso).alias("commit-timestamp"),
            F.format_string("0/%08X.1.0/%08X", position + 1, position + 1).alias("stream-position"),
        )
        body = F.struct(
            F.struct(*[value.alias(name) for name, value in data.items()]).alias("data"),
            metadata.alias("metadata"),
        )
        target = str(folder / f"messages-{number}")
        (
            self.spark.range(mix.rows, numPartitions=2)
            .select(
                F.lit(TOPIC).alias("topic"),
                F.lit("topic-1").alias("topic_id"),
                F.lit(0).alias("partition"),
                (position + (number - 1) * 10_000_000).alias("offset"),
                at.alias("timestamp"),
                F.to_json(body).alias("value"),
            )
            .write.parquet(target)
        )
        self._next_key += mix.rows
        return self.job.spark.read.parquet(target)

    def take(self, rows: DataFrame) -> BatchReport:
        """Let the job take a batch."""
        self._batches += 1
        return self.job.process(
            rows,
            application_id="bench",
            batch_id=self._batches,
            processed_at=datetime.now(UTC),
            source="bench",
        )


def _values(key: Column, version: Column) -> dict[str, Column]:
    noise = F.pmod(F.xxhash64(key, version), F.lit(1_000_000))
    return {
        "id": key.cast("long"),
        "vehicle_id": (key % 5000).cast("long"),
        "driver_id": (noise % 9000).cast("int"),
        "recorded_at": F.timestamp_seconds(F.lit(START.timestamp()) + noise),
        "latitude": F.round(noise / 12345.0, 5),
        "longitude": F.round(noise / 6543.0, 5),
        "speed_kmh": F.round(noise / 5000.0, 1),
        "fuel_pct": (noise / 20000.0).cast("decimal(5,2)"),
        "odometer_km": (noise * 3 / 7.0).cast("decimal(12,3)"),
        "status": F.element_at(
            F.array(F.lit("on"), F.lit("off"), F.lit("idle")), (noise % 3 + 1).cast("int")
        ),
        "braking": noise % 2 == 0,
        "acceleration": noise % 5 == 0,
        "note": F.concat(F.lit("trip "), noise.cast("string")),
        "phone": F.lit("555-0101"),
        "created_at": F.timestamp_seconds(F.lit(START.timestamp()) + key % 100_000),
    }
