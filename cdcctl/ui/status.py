"""The screen of `cdcctl status`."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from cdcctl.operations.status.lake import TableLake
from cdcctl.operations.status.parts import Lag, TableCapture
from cdcctl.operations.status.report import GIVEN_UP, Part, StatusReport, as_data
from cdcctl.ui import console, tables
from cdcctl.ui.cost import a_day
from cdcctl.ui.output import Document
from cdcctl.ui.problems import show_problems
from cdcctl.ui.tables import Heading

_UNITS = ((1024**4, "TB"), (1024**3, "GB"), (1024**2, "MB"), (1024, "kB"))
_THOUSANDS = ((10**9, "G"), (10**6, "M"), (10**4, "k"))
_NAME_WIDTH = 24
_ROOMY_WIDTH = 100
"""From here on trends and values stand in the table too."""


def status_document(report: StatusReport) -> Document:
    """Give the status for machines."""
    data = as_data(report)
    records = [{"table": name, **told} for name, told in data["tables"].items()]
    return Document("status/v1", data, records)


def clear() -> None:
    """Begin a new screen on a terminal."""
    if console.is_animated():
        console.stdout().clear()


def show_status(report: StatusReport) -> None:
    """Draw the whole pipeline on one screen."""
    tables.show(_head(report), _config(report), *_parts(report), _tables(report))
    for name, part in (("lake", report.lake), ("lag", report.lags), ("alerts", report.halted)):
        if part.absent:
            tables.show(Text(f"{name}: n/a ({part.absent})", style="yellow"))
    show_problems(report.problems, is_whole=report.is_whole)


def _head(report: StatusReport) -> Text:
    changed = tables.ago(report.stack.changed_at, report.at)
    bill = report.cost
    cost = a_day(bill.seen) if bill.seen is not None else f"cost n/a ({bill.absent})"
    drift = f"  drift {report.stack.drift}" if report.stack.drift else ""
    line = f"{report.stack_name}  {report.region}  {report.stack.status} {changed}{drift}  {cost}"
    return Text(line, style="bold")


def _config(report: StatusReport) -> Text:
    deployed = report.deployed_config
    if deployed.seen is None:
        return _line("config", Part(absent=deployed.absent or "no job"), str)
    is_same = deployed.seen == report.local_config
    local = "= local ✔" if is_same else f"≠ local {report.local_config[:6]} ▲"
    return _line("config", Part(f"{deployed.seen[:6]} (deployed) {local}"), str)


def _parts(report: StatusReport) -> list[Text]:
    return [
        _line("source", report.source, _source_text),
        _line("kafka", report.cluster, _cluster_text),
        _line("dms", report.replication, lambda seen: _dms_text(seen, report)),
        _line("glue", report.job, lambda seen: _glue_text(seen, report)),
    ]


def _line(name: str, part: Part[Any], text: Any) -> Text:
    if part.absent:
        return Text.assemble((f"{name:<7} ", "bold"), (f"n/a ({part.absent})", "yellow"))
    if part.seen is None:
        return Text.assemble((f"{name:<7} ", "bold"), ("never ran", "yellow"))
    return Text.assemble((f"{name:<7} ", "bold"), text(part.seen))


def _source_text(seen: Any) -> str:
    cpu = "" if seen.cpu_percent is None else f"  cpu {seen.cpu_percent:.0f} %"
    lag = "" if seen.slot_lag_bytes is None else f"  wal slot lag {_bytes(seen.slot_lag_bytes)}"
    free = "" if seen.free_bytes is None else f"  free {_bytes(seen.free_bytes)}"
    return f"postgres {seen.version}  {seen.status}{cpu}{lag}{free}"


def _cluster_text(seen: Any) -> str:
    disk = "" if seen.disk_percent is None else f"  disk {seen.disk_percent:.0f} %"
    return f"{seen.state} {seen.version}{disk}"


def _dms_text(seen: Any, report: StatusReport) -> str:
    since = "" if seen.started_at is None else f" since {tables.ago(seen.started_at, report.at)}"
    latency = "".join(
        f"  {name} {value:.1f} s"
        for name, value in (
            ("src", seen.source_latency_seconds),
            ("tgt", seen.target_latency_seconds),
        )
        if value is not None
    )
    errors = "" if seen.errors is None else f"  errors {seen.errors}"
    return f"{seen.status}{since.removesuffix(' ago')}{latency}{errors}"


def _glue_text(seen: Any, report: StatusReport) -> str:
    since = "" if seen.started_at is None else f"  {tables.ago(seen.started_at, report.at)}"
    told = [each.batch_seconds for each in (report.lags.seen or {}).values()]
    slowest = max((each for each in told if each is not None), default=None)
    batch = "" if slowest is None else f"  batch p95 {slowest:.1f} s"
    return f"{seen.state} {seen.run_id[:12]}{since}  {seen.workers}{batch}"


def _tables(report: StatusReport) -> Any:
    kept = min(max(map(len, report.tables), default=0), _NAME_WIDTH)
    headings = (
        Heading("TABLE", is_wide=True, kept_width=kept),
        Heading("LOADED", "right"),
        Heading("I/U/D", "right"),
        Heading("LAG", "right"),
        Heading("FRESH", "right"),
        Heading("ROWS", "right"),
        Heading("QUAR. 1h/24h", is_wide=True),
        Heading("DQ", is_wide=True),
    )
    captured = report.replication.seen.tables if report.replication.seen else {}
    lake, lags = report.lake.seen or {}, report.lags.seen or {}
    rows = (
        _row(name, captured.get(name), lags.get(name), lake.get(name, TableLake()), report)
        for name in report.tables
    )
    return tables.table(headings, rows)


def _row(
    name: str,
    captured: TableCapture | None,
    lag: Lag | None,
    told: TableLake,
    report: StatusReport,
) -> tuple[str | Text, ...]:
    is_roomy = console.stdout().width >= _ROOMY_WIDTH
    changes = (
        "–"
        if captured is None
        else "/".join(_count(n) for n in (captured.inserts, captured.updates, captured.deletes))
    )
    fresh = "–" if told.newest_batch_at is None else tables.ago(told.newest_batch_at, report.at)
    refused = f"{_count(told.quarantined_hour)}/{_count(told.quarantined_day)}"
    if told.rules:
        refused += f" {next(iter(told.rules))}"
    trend = tables.sparkline(told.trend, low=0) if any(told.trend) else ""
    return (
        name,
        "–" if captured is None else _loaded(captured),
        changes,
        "–" if lag is None or lag.messages is None else _count(lag.messages),
        fresh.removesuffix(" ago"),
        "–" if told.rows is None else _count(told.rows),
        f"{refused} {trend}".rstrip() if is_roomy else refused,
        _quality(told, is_roomy),
    )


def _loaded(captured: TableCapture) -> str:
    """Mark a load that has ended, in whichever way."""
    if captured.state == "Table completed":
        return f"✔ {_count(captured.loaded)}"
    return f"{'✖ ' if captured.state in GIVEN_UP else ''}{_count(captured.loaded)}"


def _quality(told: TableLake, is_roomy: bool) -> Text:
    """Tell the worst check; where it is narrow, how many have failed."""
    if told.newest_batch_at is None:
        return Text("–")
    if not told.breached:
        return Text("✔", style="green")
    if not is_roomy:
        return Text(f"✖ {len(told.breached)}", style="red")
    worst = told.breached[0]
    column = f" {worst.column}" if worst.column else ""
    value = "?" if worst.value is None else f"{worst.value:.4g}"
    limit = "" if worst.threshold is None else f" < {worst.threshold:g}"
    return Text(f"✖ {worst.metric}{column} {value}{limit}", style="red")


def _bytes(value: float) -> str:
    for size, unit in _UNITS:
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.0f} B"


def _count(value: int) -> str:
    for size, unit in _THOUSANDS:
        if value >= size:
            return f"{value / (size if size > 10**4 else 1000):.1f}{unit}"
    return str(value)
