"""What an operator asks of the process that owns a lake, and its answer: JSON objects in a folder.

A request `{id}.json` is answered by `{id}.answer.json` beside it; both stay as the audit trail.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from glue_job.errors import JobError

KINDS = ("replay", "discard", "rebuild", "close")
ANSWER = ".answer.json"
STOP = "stop"
"""The file beside the requests that names the run which is to end after its batches."""


Coordinates = tuple[int, int] | tuple[int, int, str]
"""Partition and offset of one message; its topic, when the table has had several."""


@dataclass(frozen=True)
class Selection:
    """Which open rows of a table's quarantine are meant."""

    rule: str | None = None
    since: datetime | None = None
    coordinates: tuple[Coordinates, ...] = ()
    most: int | None = None


@dataclass(frozen=True)
class Load:
    """A load of a whole table at the source; keys that it has not brought are to be closed."""

    began: datetime
    rows: int
    """How many it read."""
    most_share: float = 0.1
    """So large a share of the current rows may be closed."""


@dataclass(frozen=True)
class Request:
    """One thing to do; its id gives the writes their place, so that each is done once."""

    id: str
    kind: str
    table: str
    requested_by: str
    requested_at: datetime
    reason: str = ""
    selection: Selection = field(default_factory=Selection)
    patch: Mapping[str, str | None] = field(default_factory=dict)
    """Fields of the message to replace before it is read: the text of a JSON scalar, or null."""
    dry_run: bool = False
    load: Load | None = None

    def as_json(self) -> str:
        """Spell the request for the folder."""
        return json.dumps(asdict(self), default=datetime.isoformat, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, name: str) -> Request:
        """Read a request; JobError REQ001 when it is none."""
        try:
            held = json.loads(text)
            chosen, load = held.pop("selection"), held.pop("load", None)
            request = cls(
                **{**held, "requested_at": datetime.fromisoformat(held["requested_at"])},
                selection=Selection(
                    rule=chosen["rule"],
                    since=chosen["since"] and datetime.fromisoformat(chosen["since"]),
                    coordinates=tuple(_coordinates(place) for place in chosen["coordinates"]),
                    most=chosen["most"],
                ),
                load=load and Load(**{**load, "began": datetime.fromisoformat(load["began"])}),
            )
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise _unreadable(name, str(error)) from error
        if request.kind not in KINDS:
            raise _unreadable(name, f"its kind is `{request.kind}`, not {', '.join(KINDS)}")
        return request


@dataclass(frozen=True)
class Answer:
    """What became of a request: `done`, or `failed` with an error."""

    state: str
    counts: Mapping[str, int] = field(default_factory=dict)
    still_failing: Mapping[str, int] = field(default_factory=dict)
    """By rule: the rows that fail it under the current config."""
    error: Mapping[str, str] | None = None

    def as_json(self) -> str:
        """Spell the answer for the folder."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Answer:
        """Read an answer."""
        held: dict[str, Any] = json.loads(text)
        return cls(**held)

    @classmethod
    def failed(cls, error: JobError) -> Answer:
        """Tell why a request could not be done."""
        said = {"code": error.code, "what": error.what, "why": error.why, "fix": error.fix}
        return cls("failed", error=said)


def _coordinates(place: list[Any]) -> Coordinates:
    there = (int(place[0]), int(place[1]))
    return (*there, str(place[2])) if len(place) > 2 else there


def _unreadable(name: str, why: str) -> JobError:
    return JobError(
        code="REQ001",
        what=f"{name} is not a request",
        why=why,
        fix="remove it, and ask again with cdcctl",
    )
