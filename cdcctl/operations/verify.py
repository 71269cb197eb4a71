"""Checks that history keeps its promises: one current row a key, intervals that fit together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.lake.reader import ROWS, LakeTable
from cdcctl.lake.sql import identifier
from cdcctl.operations.lakes import LakeRequest, OpenedLake, open_requested_lake
from glue_job.contract.lake import key_of_ledger

CHECKS = {
    "I1": "at most one current row a key",
    "I2": "the intervals of a key do not overlap",
    "I3": "no interval is empty, and only the current one is open",
    "I4": "an interval ends where the next begins, or at a delete",
}
_LEDGER = "ledger_rows"


@dataclass(frozen=True)
class VerifyRequest:
    """Which tables of which lake, and how many offending keys to list."""

    lake: LakeRequest
    table: str | None = None
    limit: int = 10


@dataclass(frozen=True)
class CheckResult:
    """What one invariant says of one table."""

    table: str
    check: str
    broken: int
    """Keys that break it."""
    keys: tuple[Mapping[str, Any], ...] = ()
    """The first of them, in key order."""

    def as_document(self) -> dict[str, Any]:
        """Give the result as plain data."""
        return {
            "table": self.table,
            "check": self.check,
            "meaning": CHECKS[self.check],
            "broken": self.broken,
            "keys": [dict(key) for key in self.keys],
        }


@dataclass(frozen=True)
class VerifyReport:
    """Every check of every table."""

    versions: Mapping[str, int]
    """Rows of history by table."""
    results: tuple[CheckResult, ...]
    warnings: tuple[str, ...] = ()

    @property
    def broken(self) -> tuple[CheckResult, ...]:
        """Give the checks that do not hold."""
        return tuple(result for result in self.results if result.broken)


def verify_history(request: VerifyRequest) -> VerifyReport:
    """Check the history of one table, else of all."""
    opened = open_requested_lake(request.lake)
    if request.table is not None:
        opened.require_table(request.table)
    names = opened.lake.table_names() if request.table is None else (request.table,)
    versions: dict[str, int] = {}
    results: list[CheckResult] = []
    for name in names:
        # The ledger is written before history: opened after it, it knows every delete.
        history = opened.lake.history(name)
        ledger = opened.lake.changes(name)
        if history is None:
            continue
        key = _key_columns(opened, name, ledger)
        versions[name] = history.query(f"SELECT count(*) AS n FROM {ROWS}")[0]["n"]
        results += (
            _checked(name, check, sql, key, history, ledger, request.limit)
            for check, sql in _offending(key, has_ledger=ledger is not None).items()
        )
    return VerifyReport(versions, tuple(results), opened.warnings)


def _key_columns(opened: OpenedLake, name: str, ledger: LakeTable | None) -> Sequence[str]:
    """Take the key that the lake was written with, which its ledger tells."""
    if ledger is not None:
        key = key_of_ledger(ledger.columns)
        if key:
            return key
    table = opened.table(name)
    if table is None:
        raise CdcctlError(
            "LAK009",
            f"the key of {name} is not known",
            why="the lake has no change ledger of it, and the config does not have the table",
            fix="name the config that the lake was written with (--config)",
            exit_code=ExitCode.CONFIG,
        )
    return table.primary_key


def _offending(key: Sequence[str], *, has_ledger: bool) -> dict[str, str]:
    """Give, for each check, a query for the keys that break it."""
    listed = ", ".join(map(identifier, key))
    following = (
        f"SELECT {listed}, _effective_from, _effective_to, _is_current, lead(_effective_from)"
        f" OVER (PARTITION BY {listed} ORDER BY _effective_from, _effective_to NULLS LAST)"
        f" AS next_from FROM {ROWS}"
    )
    queries = {
        "I1": f"SELECT {listed} FROM {ROWS} WHERE _is_current"
        f" GROUP BY {listed} HAVING count(*) > 1",
        "I2": f"SELECT DISTINCT {listed} FROM ({following}) WHERE next_from IS NOT NULL"
        " AND (_effective_to IS NULL OR _effective_to > next_from)",
        "I3": f"SELECT DISTINCT {listed} FROM {ROWS} WHERE _effective_to <= _effective_from"
        " OR _effective_from IS NULL OR _is_current IS NULL"
        " OR _is_current != (_effective_to IS NULL)",
    }
    if has_ledger:
        same = " AND ".join(f"v.{identifier(name)} = d.{identifier(name)}" for name in key)
        ends = (
            f"SELECT DISTINCT {listed}, _time FROM {_LEDGER} WHERE _kind IN ('delete', 'moved_out')"
        )
        queries["I4"] = (
            f"SELECT DISTINCT {', '.join(f'v.{identifier(name)}' for name in key)}"
            f" FROM ({following}) AS v LEFT ANTI JOIN ({ends}) AS d"
            f" ON {same} AND v._effective_to = d._time"
            " WHERE v._effective_to IS NOT NULL"
            " AND (v.next_from IS NULL OR v.next_from > v._effective_to)"
        )
    return queries


def _checked(
    name: str,
    check: str,
    sql: str,
    key: Sequence[str],
    history: LakeTable,
    ledger: LakeTable | None,
    limit: int,
) -> CheckResult:
    beside = {_LEDGER: ledger} if ledger is not None else {}
    broken = history.query(f"SELECT count(*) AS n FROM ({sql})", beside)[0]["n"]
    if not broken:
        return CheckResult(name, check, 0)
    order = ", ".join(map(identifier, key))
    keys = history.query(f"SELECT * FROM ({sql}) ORDER BY {order} LIMIT {limit}", beside)
    return CheckResult(name, check, broken, tuple(keys))
