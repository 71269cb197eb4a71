"""What a change of tables.yaml asks for: a restart, an addition, or more than a deploy may do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

from glue_job.contract.model import Pipeline, Table


class ChangeClass(IntEnum):
    """From what costs nothing to what needs a decision."""

    none = 0
    restart = 1
    additive = 2
    breaking = 3


@dataclass(frozen=True)
class ConfigChange:
    """One difference, and the recipe where a deploy refuses it."""

    kind: ChangeClass
    text: str
    recipe: str = ""


def config_changes(old: Pipeline, new: Pipeline) -> tuple[ConfigChange, ...]:
    """Compare the deployed config with the new one, table by table."""
    before = {table.name: table for table in old.streamed_tables}
    after = {table.name: table for table in new.streamed_tables}
    found = [
        ConfigChange(
            ChangeClass.breaking,
            f"table {name} is gone",
            "its lake tables and topic stay; --allow-breaking ends its stream",
        )
        for name in before
        if name not in after
    ]
    for name, table in after.items():
        if name not in before:
            found.append(ConfigChange(ChangeClass.additive, f"table {name} is new"))
        else:
            found += _of_table(before[name], table)
    if not found and old != new:
        found.append(ConfigChange(ChangeClass.restart, "settings or rules differ"))
    return tuple(found)


def _of_table(old: Table, new: Table) -> Iterator[ConfigChange]:
    name = new.name
    if old.primary_key != new.primary_key:
        yield ConfigChange(
            ChangeClass.breaking,
            f"the key of {name} is another",
            "give the table a new name: history of one key cannot become that of another",
        )
    if old.topic != new.topic:
        yield ConfigChange(
            ChangeClass.breaking,
            f"{name} moves from topic {old.topic} to {new.topic}",
            "stop dms, wait until the old topic is read, then --allow-breaking",
        )
    yield from _of_columns(old, new)
    rest = replace(old, schema=new.schema, primary_key=new.primary_key, topic=new.topic)
    if rest != new:
        yield ConfigChange(ChangeClass.restart, f"rules, transforms or settings of {name} differ")


def _of_columns(old: Table, new: Table) -> Iterator[ConfigChange]:
    before = {column.name: column for column in old.schema}
    for column in new.schema:
        place = f"{new.name}.{column.name}"
        held = before.pop(column.name, None)
        if held is None and column.nullable:
            yield ConfigChange(ChangeClass.additive, f"column {place} is new")
        elif held is None:
            yield ConfigChange(
                ChangeClass.breaking,
                f"column {place} is new and not null",
                "add it nullable, fill it, then make it not null",
            )
        elif held.type != column.type:
            yield ConfigChange(
                ChangeClass.breaking,
                f"column {place} changes its type",
                "add a column of the new type; the job refuses another type for one with history",
            )
        elif held != column:
            yield ConfigChange(ChangeClass.restart, f"column {place} is described otherwise")
    for left in before:
        yield ConfigChange(
            ChangeClass.breaking,
            f"column {new.name}.{left} is gone",
            "it keeps the values that rows have; --allow-breaking goes on",
        )
