"""Reads what replication depends on from the catalog of PostgreSQL; it changes nothing.

`cdcctl doctor` runs the same file on a database that it reaches itself.
"""

SETTINGS = (
    "wal_level",
    "max_replication_slots",
    "max_wal_senders",
    "wal_sender_timeout",
    "max_slot_wal_keep_size",
    "server_version",
)
_SLOTS = "SELECT slot_name, active, wal_status FROM pg_replication_slots ORDER BY slot_name"
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""
_KEY = """
SELECT a.attname
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
WHERE i.indisprimary AND n.nspname = %s AND c.relname = %s
ORDER BY k.place
"""
_IDENTITY = """
SELECT c.relreplident FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s
"""


def read_state(cursor, schema, tables):
    """Give the server's settings and slots, and columns, key and identity of the tables there."""
    # Milliseconds and megabytes as bare numbers, whatever unit the server would choose.
    cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", (list(SETTINGS),))
    server = dict(cursor.fetchall())
    cursor.execute(_SLOTS)
    slots = [
        {"name": name, "active": active, "wal_status": status}
        for name, active, status in cursor.fetchall()
    ]
    found = {}
    for table in tables:
        place = (schema, table)
        cursor.execute(_COLUMNS, place)
        columns = [
            {"name": name, "type": kind, "nullable": nullable}
            for name, kind, nullable in cursor.fetchall()
        ]
        if not columns:
            continue
        cursor.execute(_KEY, place)
        key = [name for (name,) in cursor.fetchall()]
        cursor.execute(_IDENTITY, place)
        (identity,) = cursor.fetchone()
        found[table] = {"columns": columns, "primary_key": key, "identity": identity}
    return {"wal_level": server["wal_level"], "server": server, "slots": slots, "tables": found}
