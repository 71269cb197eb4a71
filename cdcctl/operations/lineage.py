"""Tells which columns of a query's answer show the values of given columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError


def columns_showing(
    sql: str, personal: Collection[str], answered: Sequence[str]
) -> tuple[str, ...]:
    """Name the answer's columns that show a personal one, also by another name or in an expression.

    A count shows no value. SQL that cannot be parsed shows all.
    """
    try:
        statement = sqlglot.parse_one(sql, read="athena")
    except SqlglotError:
        return tuple(answered)
    names = {name.lower() for name in personal}
    aliases = list(statement.find_all(exp.Alias))
    grown = True
    while grown:
        found = {each.alias.lower() for each in aliases if _shows(each.this, names)}
        grown = not found <= names
        names |= found
    selected = list(statement.selects) if isinstance(statement, exp.Query) else []
    by_place = len(selected) == len(answered) and not any(each.is_star for each in selected)
    return tuple(
        name
        for place, name in enumerate(answered)
        if name.lower() in names or (by_place and _shows(selected[place], names))
    )


def _shows(expression: exp.Expr, names: Collection[str]) -> bool:
    return any(
        column.name.lower() in names and column.find_ancestor(exp.Count) is None
        for column in expression.find_all(exp.Column)
    )
