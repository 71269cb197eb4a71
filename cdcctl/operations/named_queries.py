"""Reads the file of named queries: comment lines give a name and what the query answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from cdcctl.errors import CdcctlError, ExitCode

_HEAD = re.compile(r"^-- (?P<key>name|about): *(?P<text>.+?) *$")


@dataclass(frozen=True)
class NamedQuery:
    """One question with its SQL, in Athena's dialect."""

    name: str
    about: str
    sql: str


def queries_file(chosen: Path | None, config: Path) -> Path:
    """Give the file of named queries: that beside the config, else the one that is shipped."""
    from cdcctl.shipped import shipped

    file = chosen or config.parent / "analytics.sql"
    return shipped("config") / "analytics.sql" if chosen is None and not file.exists() else file


def read_queries(file: Path) -> tuple[NamedQuery, ...]:
    """Read every query of the file; raise when it cannot be read or two have one name."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CdcctlError(
            "USE030",
            f"the queries {file} cannot be read",
            why=str(getattr(error, "strerror", None) or "it is not UTF-8 text"),
            fix="name a file with --queries",
            exit_code=ExitCode.NOT_FOUND,
        ) from error
    found: dict[str, NamedQuery] = {}
    for part in re.split(r"(?m)^(?=-- name:)", text):
        heads = {m["key"]: m["text"] for m in map(_HEAD.match, part.splitlines()) if m}
        if "name" not in heads:
            continue
        lines = [line for line in part.splitlines() if not line.startswith("--")]
        query = NamedQuery(
            heads["name"], heads.get("about", ""), "\n".join(lines).strip().removesuffix(";")
        )
        if query.name in found:
            raise CdcctlError(
                "USE031",
                f"{file} has two queries named `{query.name}`",
                fix="rename one of them",
                exit_code=ExitCode.CONFIG,
            )
        found[query.name] = query
    return tuple(found.values())


def find_query(queries: tuple[NamedQuery, ...], name: str, file: Path) -> NamedQuery:
    """Find a query by its name; raise with the nearest one."""
    by_name = {query.name: query for query in queries}
    if name in by_name:
        return by_name[name]
    close = get_close_matches(name, by_name, n=1)
    raise CdcctlError(
        "USE032",
        f"{file} has no query `{name}`",
        why=f"it has: {', '.join(by_name)}" if by_name else "it has none",
        fix=f"did you mean `{close[0]}`?" if close else "give a name or a SELECT",
        exit_code=ExitCode.NOT_FOUND,
    )
