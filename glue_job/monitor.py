"""Tells how each table is: a line of metrics for every batch and look, and alerts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from glue_job.alerts import STREAM, Alerts, Problem, utc_now
from glue_job.contract.model import Table
from glue_job.contract.telemetry import DIMENSIONS, LOCAL_STACK
from glue_job.edge import emf, files
from glue_job.errors import JobError
from glue_job.pipeline.report import BatchReport, Measured, Watermark
from glue_job.positions import Lag
from glue_job.state import StateFile
from glue_job.stopwatch import Stopwatch

log = logging.getLogger("glue_job")

LOOK_SECONDS = 60.0
"""Between two lines where nothing happens."""
FAILURES_TOLD = 2
"""A stream that fails once and then goes on is not worth a message."""


@dataclass(frozen=True)
class Origin:
    """Whose job tells, of which code and config."""

    stack: str | None
    """None: the local stack."""
    config_hash: str
    code_hash: str = ""

    @property
    def stack_name(self) -> str:
        """Name the stack, as metrics do."""
        return self.stack or LOCAL_STACK

    @property
    def option(self) -> str:
        """Give the option by which cdcctl finds the lake."""
        return f"--stack {self.stack}" if self.stack else "--local"


@dataclass(frozen=True)
class FileMemory:
    """Keeps what was told in a file beside the checkpoints."""

    spark: SparkSession
    path: str

    def read(self) -> str | None:
        """Read the file; None when there is none."""
        return files.read_text(self.spark, self.path)

    def write(self, text: str) -> None:
        """Write the file anew."""
        files.write_text(self.spark, self.path, text)


class JobMonitor:
    """Tells each minute that the job runs: an alarm watches that it does not fall silent."""

    def __init__(
        self,
        origin: Origin,
        *,
        clock: Callable[[], datetime] = utc_now,
        write: Callable[[str], None] = emf.write,
    ) -> None:
        """Name the job; the first look tells."""
        self._origin = origin
        self._clock = clock
        self._write = write
        self._told_at: datetime | None = None

    def look(self, running: int) -> None:
        """Tell how many tables run, unless that was told in the last minute."""
        now = self._clock()
        if self._told_at is not None and (now - self._told_at).total_seconds() < LOOK_SECONDS:
            return
        self._told_at = now
        stack = self._origin.stack_name
        self._write(emf.spelled(now, {"stack": stack}, {"running": running}, {}))


class TableMonitor:
    """Turns what a table's stream has seen into metrics, the state file and alerts."""

    def __init__(
        self,
        table: Table,
        origin: Origin,
        alerts: Alerts,
        state: StateFile,
        *,
        clock: Callable[[], datetime] = utc_now,
        write: Callable[[str], None] = emf.write,
    ) -> None:
        """Name the table; nothing is told yet."""
        self._table = table
        self._origin = origin
        self._alerts = alerts
        self._state = state
        self._clock = clock
        self._write = write
        self._reached = Watermark()
        self._lag: Lag | None = None

    def resume(self, reached: Watermark) -> None:
        """Take how far the table was read before."""
        self._reached = self._reached.joined(reached)

    def lag_is(self, lag: Lag, *, is_well: bool = True) -> None:
        """Take the lag; a stream that runs well, with nothing left to take, has recovered."""
        self._lag = lag
        limit = self._table.sla_seconds
        problem = Problem(
            "lag",
            f"{lag.messages} messages wait in `{self._table.topic}`, the oldest for"
            f" {lag.seconds:.0f} s (sla_seconds {limit})",
            self._logs,
        )
        is_late = limit is not None and lag.seconds > limit
        judged = {"lag", STREAM} if is_well and not lag.messages else {"lag"}
        self._alerts.see([problem] if is_late else [], judged)
        self._note(lag_messages=lag.messages, lag_seconds=lag.seconds)

    def lag_is_unknown(self) -> None:
        """Tell no lag rather than an old one."""
        self._lag = None
        self._note(lag_messages=None, lag_seconds=None)

    def tell(self) -> None:
        """Tell the lag, between batches too: no line at all means that the job does not run."""
        self._emit({}, {})

    def batch_taken(
        self, report: BatchReport, stopwatch: Stopwatch, versions: tuple[int, int] | None
    ) -> None:
        """Tell what became of a batch that is in the lake."""
        now = self._clock()
        # Of no rows there is nothing to say: a topic begins with a control record.
        measures = report.measures if _has_rows(report) else ()
        judged = {_key(each): each for each in measures if each.passed is not None}
        breached = {key: each for key, each in judged.items() if not each.passed}
        problems = [self._breach(key, each, report) for key, each in breached.items()]
        self._alerts.see(problems, {STREAM, *judged})
        self._note(batch_at=now.isoformat())
        earliest, reached = _moment(report.earliest), _moment(self._reached.effective)
        late_by = (reached - earliest).total_seconds() if reached and earliest else 0.0
        total = stopwatch.total
        seconds = {name: round(value, 3) for name, value in stopwatch.seconds.items()}
        self._emit(
            {
                "consumed": report.consumed,
                "applied": report.outcomes["applied"],
                "quarantined": report.outcomes["quarantined"],
                "late": report.late,
                "lateness_seconds": max(0.0, late_by),
                "versions_opened": versions[0] if versions else None,
                "versions_closed": versions[1] if versions else None,
                "breached": len(breached),
                "batch_seconds": round(total, 3),
                "source_to_lake_seconds": ((now - earliest).total_seconds() if earliest else None),
            },
            {
                "batch_id": report.batch.batch_id,
                "application_id": report.batch.application_id,
                "config_hash": report.batch.config_hash,
                "topic": report.topic,
                "offsets": report.offsets,
                "outcomes": dict(report.outcomes),
                "reasons": dict(report.reasons),
                "breaches": [problem.text for problem in problems],
                "seconds": {**seconds, "other": round(total - sum(seconds.values()), 3)},
            },
        )
        self._reached = self._reached.joined(report.watermark)

    def failed(self, error: Exception | None, failures: int) -> None:
        """Tell that the stream has failed so many times since its last batch."""
        said, fix = first_line(error), self._logs
        if isinstance(error, JobError):
            said, fix = f"{error.code}: {error.what}: {error.why}", error.fix or fix
        if failures >= FAILURES_TOLD:
            self._alerts.see([Problem(STREAM, f"does not go on: {said}", fix)], ())
        self._note()
        self._emit({"failures": 1}, {"error": said})

    def _breach(self, key: str, measured: Measured, report: BatchReport) -> Problem:
        value = "not measurable" if measured.value is None else f"{measured.value:.4g}"
        of = f" of {measured.column}" if measured.column else ""
        return Problem(
            key,
            f"{measured.metric}{of} is {value}, below {measured.threshold:g},"
            f" in batch {report.batch.batch_id}",
            f"cdcctl metrics show --table {self._table.name} --failed {self._origin.option}",
            measured.severity or "warning",
        )

    @property
    def _logs(self) -> str:
        part = "job" if self._origin.stack is None else "glue"
        return f"cdcctl logs {part} --table {self._table.name} {self._origin.option}"

    def _note(self, **values: object) -> None:
        self._state.change(self._table.name, problems=self._alerts.standing, **values)

    def _emit(self, metrics: Mapping[str, float | None], properties: Mapping[str, object]) -> None:
        line = emf.spelled(
            self._clock(),
            dict(zip(DIMENSIONS, (self._origin.stack_name, self._table.name), strict=True)),
            {
                **metrics,
                "lag_messages": self._lag.messages if self._lag else None,
                "lag_seconds": round(self._lag.seconds, 3) if self._lag else None,
                "problems": len(self._alerts.standing),
            },
            {
                "config_hash": self._origin.config_hash,
                "code_hash": self._origin.code_hash,
                **properties,
            },
        )
        self._write(line)


def first_line(error: Exception | None) -> str:
    """Say in one line what ended a query."""
    lines = str(error).strip().splitlines() if error else []
    return lines[0] if lines else "the query ended"


def _has_rows(report: BatchReport) -> bool:
    return report.consumed > sum(report.outcomes.get(name, 0) for name in ("control", "tombstone"))


def _key(measured: Measured) -> str:
    return f"check/{measured.metric}/{measured.column or ''}"


def _moment(text: str) -> datetime | None:
    """Read a time of a watermark."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
