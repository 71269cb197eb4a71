"""Automated backups of databases that are gone, which ministack does not know."""

from __future__ import annotations

from typing import Any

from ministack.services import rds

from tests.fakeaws.settings import setting


def _members(backup: dict[str, Any]) -> str:
    fields = "".join(f"<{name}>{value}</{name}>" for name, value in backup.items())
    return f"<DBInstanceAutomatedBackup>{fields}</DBInstanceAutomatedBackup>"


def _answer(operation: str, result: str) -> Any:
    return rds._xml(200, f"{operation}Response", f"<{operation}Result>{result}</{operation}Result>")


def _described(_: Any) -> Any:
    listed = "".join(map(_members, setting("rds_backups")))
    return _answer(
        "DescribeDBInstanceAutomatedBackups",
        f"<DBInstanceAutomatedBackups>{listed}</DBInstanceAutomatedBackups>",
    )


def _deleted(request: Any) -> Any:
    wanted, held = rds._p(request, "DbiResourceId"), setting("rds_backups")
    found = [each for each in held if each["DbiResourceId"] == wanted]
    if not found:
        code = "DBInstanceAutomatedBackupNotFound"
        return rds._error(code, f"Automated backup of {wanted} not found.", 404)
    held.remove(found[0])
    return _answer("DeleteDBInstanceAutomatedBackup", _members(found[0]))


def install() -> None:
    """Let ministack's RDS answer both operations, from the setting `rds_backups`."""
    rds._ACTION_MAP.update(
        DescribeDBInstanceAutomatedBackups=_described, DeleteDBInstanceAutomatedBackup=_deleted
    )
