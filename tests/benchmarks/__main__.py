"""Seconds of a batch next to its physical floor: `python -m tests.benchmarks --help`.

The floor is the time to parse the batch into nothing plus the time to write, as plain Parquet, the
rows that history gains: new versions and newly closed ones. It is measured in the same run.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from cdcctl.local.artifacts import spark_jars
from cdcctl.ui.progress import SilentProgress
from glue_job import session
from glue_job.pipeline.envelope import SourceNames, parse_envelope
from tests.benchmarks.workload import INSERT_HEAVY, TABLE, UPDATE_HEAVY, Bench, Mix

_WARM = 8
"""Batches before those that are measured: the JVM optimises what has run often enough."""
_STEPS = ("record", "quarantine", "measures", "changes", "merge")


@dataclass(frozen=True)
class Case:
    """A lake, and the batch that is measured on it."""

    mix: Mix
    live: int
    versions: int = 2
    rules: int = 8


def cases(scale: float) -> dict[str, Case]:
    """Name the measurements; `scale` 1 is 100,000 messages against a million live keys."""
    live, rows = int(1_000_000 * scale), int(100_000 * scale)
    updates, inserts = replace(UPDATE_HEAVY, rows=rows), replace(INSERT_HEAVY, rows=rows)
    few = Mix(100, updates=0.87, deletes=0.03)
    return {
        "updates": Case(updates, live),
        "inserts": Case(inserts, live),
        "one-late": Case(replace(updates, late=1), live),
        "updates-4x-closed": Case(updates, live, versions=5),
        "small": Case(few, 10_000),
        "no-rules": Case(updates, live, rules=0),
        "50-rules": Case(updates, live, rules=50),
    }


def main() -> None:
    """Run the cases that are asked for and print one line each."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"of: {', '.join(cases(1))}; all when left out")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size")
    parser.add_argument(
        "--repeat", type=int, default=5, help=f"measured batches, after {_WARM} others"
    )
    asked = parser.parse_args()
    known = cases(asked.scale)
    unknown = sorted(set(asked.cases) - set(known))
    if unknown:
        parser.error(f"no case {', '.join(unknown)}; there are {', '.join(known)}")
    spark = session.start(
        "benchmarks", jars=",".join(map(str, spark_jars(SilentProgress()))), local_cores=2
    )
    columns = ("batch s", "worst s", "floor s", "x floor", "rows/s")
    print(f"{'case':18} {' '.join(f'{each:>8}' for each in columns)}  steps", flush=True)
    for name in asked.cases or known:
        folder = Path(tempfile.mkdtemp(prefix="cdcctl-bench-"))
        try:
            _run(spark, name, known[name], asked.repeat, folder)
        finally:
            shutil.rmtree(folder)
    spark.stop()


def _run(spark: SparkSession, name: str, case: Case, repeat: int, folder: Path) -> None:
    made = Bench(
        spark,
        folder / "lake",
        live=case.live,
        closed=case.live * (case.versions - 1),
        rules=case.rules,
        metrics=False,
    )
    steps: dict[str, float] = {}
    for step in _STEPS:
        _time(made, step, steps)
    whole, floors, rest = [], [], []
    for _ in range(repeat + _WARM):
        rows = made.messages(case.mix, folder)
        steps.clear()
        seconds = _seconds(lambda taken=rows: made.take(taken))  # type: ignore[misc]
        whole.append(seconds)
        with session.compiling(made.job.spark, case.mix.rows):
            floors.append(_floor(made, rows, folder))
        rest.append({"fold": seconds - sum(steps.values()), **steps})
    batch, floor = statistics.median(whole[_WARM:]), statistics.median(floors[_WARM:])
    spent = "  ".join(
        f"{step} {statistics.median(each.get(step, 0.0) for each in rest[_WARM:]):.2f}"
        for step in ("fold", *_STEPS)
    )
    rate = case.mix.rows / batch
    told = f"{name:18} {batch:8.2f} {max(whole[_WARM:]):8.2f} {floor:8.2f} {batch / floor:8.2f}"
    print(f"{told} {rate:8.0f}  {spent}", flush=True)


def _time(made: Bench, step: str, into: dict[str, float]) -> None:
    write: Callable[..., Any] = getattr(made.job.lake, step)

    def timed(*given: Any, **named: Any) -> None:
        into[step] = into.get(step, 0.0) + _seconds(lambda: write(*given, **named))

    setattr(made.job.lake, step, timed)


def _seconds(action: Callable[[], object]) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started


def _floor(made: Bench, rows: DataFrame, folder: Path) -> float:
    table = made.pipeline.table(TABLE)
    parsed = parse_envelope(
        rows, table, SourceNames.of(made.pipeline, table, commit_time_required=False), {}
    )
    parsing = _seconds(lambda: parsed.write.format("noop").mode("overwrite").save())
    history = made.job.lake.history()
    newest = history.agg(F.max("_ingested_at")).first()
    assert newest is not None
    gained = history.filter(F.col("_ingested_at") == newest[0]).repartition(2).cache()
    try:
        gained.count()
        target = str(folder / "floor")
        return parsing + _seconds(lambda: gained.write.mode("overwrite").parquet(target))
    finally:
        gained.unpersist()


if __name__ == "__main__":
    main()
