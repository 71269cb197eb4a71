"""The id of a quarantined row, as the screens show it and every command takes it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cdcctl.errors import CdcctlError, ExitCode

_ID = re.compile(r"(?:(?P<topic>[^:\s]+):)?(?P<partition>\d+):(?P<offset>\d+)")


@dataclass(frozen=True)
class RowId:
    """Where a message lay in Kafka; without a topic, in whichever the table has had."""

    topic: str | None
    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str, table: str) -> RowId:
        """Read an id; USE004 when it is none."""
        found = _ID.fullmatch(text.strip())
        if found is None:
            raise CdcctlError(
                "USE004",
                f"`{text}` is not the id of a quarantined row",
                why="an id is PARTITION:OFFSET or TOPIC:PARTITION:OFFSET, such as 0:1234",
                fix=f"cdcctl quarantine show {table}",
                exit_code=ExitCode.USAGE,
            )
        return cls(found["topic"], int(found["partition"]), int(found["offset"]))
