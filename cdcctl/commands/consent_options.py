"""The options that let a table go on where it has stopped for a decision."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cdcctl.commands import completion
from glue_job.consent import Consent


def _tables_option(name: str, meaning: str) -> Any:
    return typer.Option(name, metavar="TABLE", help=meaning, autocompletion=completion.tables)


AllowQuarantineOption = Annotated[
    list[str] | None,
    _tables_option("--allow-quarantine", "Let this table's batches pass the circuit breaker."),
]
AcceptLostOption = Annotated[
    list[str] | None,
    _tables_option(
        "--accept-lost-offsets",
        "Let this table go on where messages are gone that it has not read.",
    ),
]
RetakeOption = Annotated[
    list[str] | None,
    _tables_option(
        "--retake", "Take a batch of this table that was begun again, under the current config."
    ),
]


def consent_of(
    allow_quarantine: list[str] | None,
    accept_lost_offsets: list[str] | None,
    retake: list[str] | None,
) -> Consent:
    """Gather what the operator lets pass in one run."""
    return Consent(
        tuple(allow_quarantine or ()), tuple(accept_lost_offsets or ()), tuple(retake or ())
    )
