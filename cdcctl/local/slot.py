"""The replication slot and its publication: made once, kept over restarts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cdcctl.local.source_table import SourceTable, quote

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extras import ReplicationCursor


def ensure_publication(connection: Connection, name: str, tables: Iterable[SourceTable]) -> None:
    """Make the publication; tables are only ever added, so that record ids stay what they were."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_publication WHERE pubname = %s", (name,))
        if cursor.fetchone() is None:
            cursor.execute(f"CREATE PUBLICATION {quote(name)}")
        cursor.execute(
            "SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = %s", (name,)
        )
        published = set(cursor.fetchall())
        for table in tables:
            if (table.schema, table.table) not in published:
                cursor.execute(
                    f"ALTER PUBLICATION {quote(name)} ADD TABLE ONLY {table.quoted_name}"
                )


def ensure_slot(connection: Connection, name: str) -> bool:
    """Make the slot when it is not there; tell whether it was made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_replication_slots WHERE slot_name = %s", (name,))
        if cursor.fetchone() is not None:
            return False
        cursor.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (name,))
    return True


def start_stream(parameters: dict[str, Any], slot: str, publication: str) -> ReplicationCursor:
    """Read the slot's changes from where it was last confirmed."""
    import psycopg2
    from psycopg2.extras import LogicalReplicationConnection

    connection = psycopg2.connect(**parameters, connection_factory=LogicalReplicationConnection)
    try:
        cursor: ReplicationCursor = connection.cursor()
        cursor.start_replication(
            slot_name=slot,
            decode=False,
            options={"proto_version": "1", "publication_names": quote(publication)},
        )
    except BaseException:
        connection.close()
        raise
    return cursor
