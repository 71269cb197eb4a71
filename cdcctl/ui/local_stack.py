"""Screens of `cdcctl local` and `cdcctl seed`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from cdcctl.ui import tables
from cdcctl.ui.output import Document
from cdcctl.ui.paths import short
from cdcctl.ui.problems import show_problems
from cdcctl.ui.tables import Heading

if TYPE_CHECKING:
    # The report of a seed on AWS is shown without the extra `local`, which these need.
    from cdcctl.operations.local_report import CaptureReport, ChildReport, StackReport
    from cdcctl.operations.seed import SeedReport

_STYLES = {
    "ready": "green",
    "starting": "yellow",
    "restarting": "yellow",
    "waiting": "yellow",
    "degraded": "yellow",
    "failed": "red",
}
_LAST_WORDS = 5


def status_document(report: StackReport) -> Document:
    """Give the state of the stack for machines."""
    children = [
        {
            "name": child.name,
            "state": child.state,
            "pid": child.pid,
            "restarts": child.restarts,
            "log": child.log,
            "problem": child.problem,
        }
        for child in report.children
    ]
    data = {
        "directory": str(report.directory),
        "phase": str(report.phase),
        "up": report.is_up,
        "config": report.config,
        "config_hash": report.config_hash,
        "postgres": report.postgres,
        "kafka": report.kafka,
        "lake": report.lake,
        "processes": children,
        "tables": [
            {
                "table": table.table,
                "topic": table.topic,
                "loaded": table.is_loaded,
                "load_rows": table.load_rows,
                "inserts": table.inserts,
                "updates": table.updates,
                "deletes": table.deletes,
                "job": table.job,
            }
            for table in report.tables
        ],
        "problems": [asdict(problem) for problem in report.problems],
    }
    return Document("local-status/v1", data, children, warnings=report.warnings)


def show_up(report: StackReport) -> None:
    """Tell that the stack is up, where, and what to do next."""
    tables.show("the local stack was up already" if report.was_up else "the local stack is up")
    _show_addresses(report)
    tables.show("next: cdcctl seed --local   cdcctl local status   cdcctl local down")


def show_status(report: StackReport, with_limits: bool) -> None:
    """Draw processes, addresses and tables."""
    if not report.is_up:
        tables.show(f"no local stack is up in {short(report.directory)}")
        tables.show("start it: cdcctl local up")
    else:
        style = _STYLES.get(report.phase, "")
        tables.show(Text.assemble("local stack ", (str(report.phase), style)))
        _show_addresses(report)
        tables.show("", _process_table(report.children))
        for child in report.children:
            _show_last_words(child)
        if report.tables:
            tables.show("", _captured_table(report))
        show_problems(report.problems)
    if with_limits:
        from cdcctl.local.capture import LIMITS

        tables.show("", "what the capture does not do as DMS does:")
        tables.show(*(f"  - {limit}" for limit in LIMITS))


def down_document(was_up: bool) -> Document:
    """Tell machines whether something was stopped."""
    return Document("local-down/v1", {"stopped": was_up}, [{"stopped": was_up}])


def show_down(was_up: bool) -> None:
    """Tell whether something was stopped."""
    tables.show("the local stack is down, its data is kept" if was_up else "no local stack was up")


def show_reset(removed: Path | None) -> None:
    """Tell what was removed."""
    tables.show(f"removed {short(removed)}" if removed else "there was nothing to remove")


def seed_document(report: SeedReport) -> Document:
    """Give what was written for machines."""
    records = [_seed_record(report, table) for table in report.tables]
    counts = report.counts
    data = {"rows": counts.rows, "transactions": counts.transactions, "tables": records}
    return Document("seed/v1", data, records)


def show_seed(report: SeedReport) -> None:
    """Draw what was written."""
    headings = (
        Heading("TABLE"),
        *(Heading(name, "right") for name in ("INSERTED", "UPDATED", "DELETED", "BAD ON PURPOSE")),
    )
    rows = [_seed_record(report, table) for table in report.tables]
    tables.show(
        tables.table(
            headings,
            [
                (r["table"], *(f"{r[k]:,}" for k in ("inserted", "updated", "deleted", "bad")))
                for r in rows
            ],
        )
    )


def _seed_record(report: SeedReport, table: str) -> dict[str, Any]:
    counts = report.counts
    return {
        "table": table,
        "inserted": counts.inserted[table],
        "updated": counts.updated[table],
        "deleted": counts.deleted[table],
        "bad": counts.bad[table],
    }


def _show_addresses(report: StackReport) -> None:
    postgres, kafka = report.postgres, report.kafka
    user = "            user {}, password in {}".format
    if postgres:
        tables.show(
            f"  postgres  {postgres['host']}:{postgres['port']}/{postgres['database']}",
            user(postgres["user"], short(postgres["password_file"])),
        )
    if kafka:
        tables.show(
            f"  kafka     {kafka['bootstrap_servers']}  SASL_PLAINTEXT SCRAM-SHA-512",
            user(kafka["sasl_username"], short(kafka["password_file"])),
        )
    tables.show(f"  lake      {short(report.lake)}")


def _process_table(children: tuple[ChildReport, ...]) -> Any:
    headings = (
        Heading("PROCESS"),
        Heading("STATE"),
        Heading("PID", "right"),
        Heading("RESTARTS", "right"),
        Heading("LOG", is_wide=True),
    )
    return tables.table(
        headings,
        [
            (
                child.name,
                Text(child.state, style=_STYLES.get(child.state, "")),
                str(child.pid or "-"),
                str(child.restarts),
                short(child.log),
            )
            for child in children
        ],
    )


def _show_last_words(child: ChildReport) -> None:
    lines = child.problem["lines"] if child.problem is not None else []
    if lines:
        tables.show(Text(f"{child.name} said last", style="red"))
        tables.show(*(f"    {line}" for line in lines[-_LAST_WORDS:]))


def _captured_table(report: StackReport) -> Any:
    headings = (
        Heading("TABLE", is_wide=True),
        Heading("LOADED", "right"),
        Heading("I/U/D", "right"),
        Heading("JOB"),
        *(Heading(name, "right") for name in ("BATCH", "LAG", "FRESH", "QUAR.")),
    )
    now = datetime.now(UTC)
    return tables.table(headings, [_captured_row(table, now) for table in report.tables])


def _captured_row(table: CaptureReport, now: datetime) -> tuple[str, ...]:
    job = table.job
    at = job.get("batch_at")
    return (
        table.table.partition(".")[2],
        f"{table.load_rows:,}" if table.is_loaded else "no",
        "/".join(f"{count:,}" for count in (table.inserts, table.updates, table.deletes)),
        str(job.get("state", "-")),
        *(
            "-" if job.get(name) is None else str(job[name])
            for name in ("batch_id", "lag_messages")
        ),
        tables.ago(datetime.fromisoformat(at), now).removesuffix(" ago") if at else "-",
        str(job.get("outcomes", {}).get("quarantined", "-")),
    )
