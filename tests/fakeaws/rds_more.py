"""What RDS tells beyond ministack: automated backups that were kept, and sizes it offers."""

from __future__ import annotations

from typing import Any

from ministack.services import rds

from tests.fakeaws.settings import setting


def _element(name: str, fields: dict[str, Any]) -> str:
    inner = "".join(f"<{key}>{value}</{key}>" for key, value in fields.items())
    return f"<{name}>{inner}</{name}>"


def _answer(operation: str, result: str) -> Any:
    return rds._xml(200, f"{operation}Response", f"<{operation}Result>{result}</{operation}Result>")


def _backups(_: Any) -> Any:
    listed = "".join(_element("DBInstanceAutomatedBackup", b) for b in setting("rds_backups"))
    return _answer(
        "DescribeDBInstanceAutomatedBackups",
        f"<DBInstanceAutomatedBackups>{listed}</DBInstanceAutomatedBackups>",
    )


def _delete_backup(request: Any) -> Any:
    wanted, held = rds._p(request, "DbiResourceId"), setting("rds_backups")
    found = [each for each in held if each["DbiResourceId"] == wanted]
    if not found:
        code = "DBInstanceAutomatedBackupNotFound"
        return rds._error(code, f"Automated backup of {wanted} not found.", 404)
    held.remove(found[0])
    element = _element("DBInstanceAutomatedBackup", found[0])
    return _answer("DeleteDBInstanceAutomatedBackup", element)


def _sizes(request: Any) -> Any:
    """Offer whatever size is asked for, of every major version."""
    option = {
        "Engine": rds._p(request, "Engine"),
        "DBInstanceClass": rds._p(request, "DBInstanceClass"),
    }
    listed = "".join(
        _element("OrderableDBInstanceOption", {**option, "EngineVersion": version})
        for version in ("16.15", "17.11", "18.6")
    )
    return _answer(
        "DescribeOrderableDBInstanceOptions",
        f"<OrderableDBInstanceOptions>{listed}</OrderableDBInstanceOptions>",
    )


def install() -> None:
    """Let ministack's RDS answer them; the setting `rds_backups` holds the backups."""
    rds._ACTION_MAP.update(
        DescribeDBInstanceAutomatedBackups=_backups,
        DeleteDBInstanceAutomatedBackup=_delete_backup,
        DescribeOrderableDBInstanceOptions=_sizes,
    )
