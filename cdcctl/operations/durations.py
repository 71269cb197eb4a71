"""What creations take: as seen from this machine in a region, else as is usual."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from cdcctl.local.layout import write_whole
from cdcctl.state import state_folder

SHIPPED_SECONDS = {
    "AWS::MSK::Cluster": 1833,
    "AWS::DMS::ReplicationInstance": 778,
    "AWS::RDS::DBInstance": 612,
    "AWS::EC2::NatGateway": 120,
}
"""What a creation usually takes; the other types take seconds."""
_SPREAD = (0.8, 1.3)
"""Creations differ from one another: what is left is told as a span."""
_LEAST_SPREAD = (0.9, 1.1)
_LEAST_SECONDS = 30.0
"""What takes less does not make anybody wait, and is not remembered."""
_SCHEMA = "cdcctl/durations/v1"
_SAMPLES, _TYPES, _REGIONS = 10, 100, 50
_LARGEST_FILE = 1_000_000

Samples = dict[str, float]
"""Seconds by the event that ended them, the newest last: an event seen again counts once."""
Held = dict[str, dict[str, Samples]]
"""Samples by region and type of resource."""


@dataclass(frozen=True)
class Usual:
    """What a creation usually takes, and between what it is likely to lie; in seconds."""

    middle: float = 0.0
    low: float = 0.0
    high: float = 0.0


class Durations:
    """Knows what is usual in a region, and remembers what it is told."""

    def __init__(
        self, region: str = "", held: Mapping[str, Samples] | None = None, file: Path | None = None
    ) -> None:
        """Take what was seen before, by type; without a file nothing is remembered."""
        self._region = region
        self._held = {kind: dict(samples) for kind, samples in (held or {}).items()}
        self._file = file

    def usual(self, kind: str) -> Usual:
        """Give what a creation of this type takes; zero for what takes seconds."""
        own = [*self._held.get(kind, {}).values()]
        middle = median(own) if own else float(SHIPPED_SECONDS.get(kind, 0))
        if len(own) < 2:
            low, high = (middle * share for share in _SPREAD)
            return Usual(middle, low, high)
        low, high = (middle * share for share in _LEAST_SPREAD)
        return Usual(middle, min(*own, low), max(*own, high))

    def add(self, kind: str, event: str, seconds: float) -> None:
        """Remember what a creation took; a file that cannot be written is done without."""
        if seconds < _LEAST_SECONDS:
            return
        _remember(self._held, kind, event, seconds)
        if self._file is None:
            return
        # Another deploy may have written meanwhile.
        held = _read(self._file)[0]
        _remember(held.setdefault(self._region, {}), kind, event, seconds)
        with suppress(OSError):
            _write(self._file, held)


def load_durations(region: str) -> tuple[Durations, str]:
    """Give what this machine has seen in a region, and a warning when its file is left aside."""
    file = state_folder() / "durations.json"
    held, fault = _read(file)
    warning = f"{file} is left aside: {fault}" if fault else ""
    return Durations(region, held.get(region), file), warning


def _remember(held: dict[str, Samples], kind: str, event: str, seconds: float) -> None:
    samples = held.pop(kind, {})
    samples.pop(event, None)
    samples[event] = round(seconds, 1)
    held[kind] = dict([*samples.items()][-_SAMPLES:])


def _read(file: Path) -> tuple[Held, str]:
    """Give what a file holds, or nothing and what is wrong with it."""
    try:
        if file.stat().st_size > _LARGEST_FILE:
            return {}, "it is far larger than what cdcctl writes"
        document = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, ""
    except OSError as error:
        return {}, error.strerror or str(error)
    except (ValueError, RecursionError):
        return {}, "it is no JSON"
    if not _is_held(document):
        return {}, f"it is not of the form {_SCHEMA}"
    return document["regions"], ""


def _is_held(document: Any) -> bool:
    return (
        isinstance(document, dict)
        and document.get("schema") == _SCHEMA
        and isinstance(regions := document.get("regions"), dict)
        and all(isinstance(kinds, dict) for kinds in regions.values())
        and all(_are_samples(each) for kinds in regions.values() for each in kinds.values())
    )


def _are_samples(found: Any) -> bool:
    return (
        isinstance(found, dict)
        and bool(found)
        and all(
            isinstance(seconds, int | float) and math.isfinite(seconds) and seconds > 0
            for seconds in found.values()
        )
    )


def _write(file: Path, held: Held) -> None:
    """Put a new file in the place of the old one at once, with the newest only."""
    kept = {
        region: dict([*kinds.items()][-_TYPES:]) for region, kinds in [*held.items()][-_REGIONS:]
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps({"schema": _SCHEMA, "regions": kept}))
