"""What a view may show: values of personal data are masked unless they are asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from cdcctl.operations import json_text
from glue_job.contract.model import Table

MASK = "****"
HIDING_TRANSFORMS = frozenset(("mask_pii", "hash"))
_SAFE_WITHOUT_COLUMN = frozenset(("NO_SEQUENCE", "UNKNOWN_OPERATION", "WRONG_TABLE"))
"""Reasons whose value comes from the envelope's metadata, never from a row."""


@dataclass(frozen=True)
class Privacy:
    """Decides what is shown of one table; a column that the config does not know is masked."""

    shown: frozenset[str]
    reveal: bool = False

    @classmethod
    def of(cls, table: Table | None, *, reveal: bool = False) -> Privacy:
        """Take the `pii` columns and those that a transform hides; no config hides all."""
        if table is None:
            return cls(frozenset(), reveal)
        hidden = {step.column for step in table.transforms if step.type in HIDING_TRANSFORMS}
        return cls(
            frozenset(
                column.name
                for column in table.schema
                if not column.pii and column.name not in hidden
            ),
            reveal,
        )

    @classmethod
    def of_lake(cls, table: Table | None, *, reveal: bool, typed: Collection[str]) -> Privacy:
        """Decide for stored values: what a transform has hidden is shown so, and the typed key."""
        before = cls.of(table, reveal=reveal)
        stored_hidden = {
            step.column
            for step in (table.transforms if table is not None else ())
            if step.type in HIDING_TRANSFORMS
        }
        return cls(before.shown | stored_hidden | set(typed), reveal)

    def hides(self, column: str) -> bool:
        """Tell whether a column's values are masked."""
        return not self.reveal and column not in self.shown

    def value(self, column: str, value: Any) -> Any:
        """Give a value or its mask; that a value is missing is no secret."""
        return MASK if value is not None and self.hides(column) else value

    def values(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Give a row's values or their masks."""
        return {column: self.value(column, value) for column, value in row.items()}

    def evidence(self, reason: str, column: str | None, actual: str | None) -> str | None:
        """Give the value that a failed check saw."""
        if column is not None:
            shown: str | None = self.value(column, actual)
            return shown
        if actual is None or self.reveal or reason in _SAFE_WITHOUT_COLUMN:
            return actual
        return MASK

    def envelope(self, raw: str | None) -> str | None:
        """Give a raw message with the hidden fields of its rows masked.

        What is not a JSON object is hidden whole: nobody knows what stands where in it.
        """
        if raw is None or self.reveal:
            return raw
        try:
            message = json_text.read(raw)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            return f"{MASK} ({len(raw):,} characters that are not a JSON object)"
        masked = {key: self._part(key, part) for key, part in message.items()}
        return json_text.written(masked)

    def _part(self, key: str, part: Any) -> Any:
        if key in {"metadata", "control"} and isinstance(part, dict):
            return {
                name: MASK if name == "partition-key-value" and part[name] is not None else value
                for name, value in part.items()
            }
        if key in {"data", "before-image"} and isinstance(part, dict):
            known = {name.lower(): name for name in self.shown}
            return {
                field: self.value(known.get(field.lower()) or field, value)
                for field, value in part.items()
            }
        return None if part is None else MASK
