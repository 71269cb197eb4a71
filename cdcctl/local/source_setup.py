"""Makes the tables of the local source, from the same statements as on AWS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cdcctl.errors import CdcctlError

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

COLUMNS = """
SELECT table_schema || '.' || table_name, column_name
FROM information_schema.columns
WHERE table_schema || '.' || table_name = ANY(%s)
"""


def apply_statements(
    connection: Connection,
    statements: Sequence[tuple[str, str]],
    columns: dict[str, tuple[str, ...]],
) -> None:
    """Run (name, SQL) statements in one transaction; then compare the tables with the config.

    The statements leave an existing table alone, so one made for another config is refused.
    """
    import psycopg2

    with connection, connection.cursor() as cursor:
        for name, sql in statements:
            try:
                cursor.execute(sql)
            except psycopg2.Error as error:
                raise CdcctlError(
                    "LOC040",
                    f"the local source refused `{name}`",
                    why=" ".join(str(error).split()),
                    fix="correct the table in tables.yaml",
                ) from error
        cursor.execute(COLUMNS, (list(columns),))
        found: dict[str, set[str]] = {}
        for table, column in cursor.fetchall():
            found.setdefault(table, set()).add(column)
    for table, wanted in columns.items():
        missing = [column for column in wanted if column not in found.get(table, set())]
        if missing:
            raise CdcctlError(
                "LOC041",
                f"table {table} of the local source lacks columns of the config: "
                f"{', '.join(missing)}",
                why="it was made for another tables.yaml",
                fix="cdcctl local reset, then cdcctl local up",
            )
