"""Says a change of one row as SQL: names are quoted by the driver, and no value is part of it.

`cdcctl seed --local` runs the same file.
"""

from psycopg2 import sql

SHAPES = {
    "insert": "INSERT INTO {place} ({columns}) VALUES ({marks})",
    "update": "UPDATE {place} SET {settings} WHERE id = %s",
    "delete": "DELETE FROM {place} WHERE id = %s",
}


def statement(schema, change):
    """Give the statement of a change (operation, table, key, values) and what it is run with."""
    values = change["values"]
    columns = [sql.Identifier(name) for name in values]
    composed = sql.SQL(SHAPES[change["operation"]]).format(
        place=sql.Identifier(schema, change["table"]),
        columns=sql.SQL(", ").join(columns),
        marks=sql.SQL(", ").join([sql.Placeholder()] * len(columns)),
        settings=sql.SQL(", ").join(sql.SQL("{} = %s").format(column) for column in columns),
    )
    key = [] if change["operation"] == "insert" else [change["key"]]
    return composed, [*values.values(), *key]
