"""The list prices that come with cdcctl."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

_FILE = Path(__file__).with_name("prices.yaml")


@dataclass(frozen=True)
class PriceList:
    """Prices by name, in US dollars, of one region and as they were on one day."""

    region: str
    gathered: str
    usd: Mapping[str, float]


@cache
def price_list() -> PriceList:
    """Read the prices."""
    held = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    usd = {name: float(each["usd"]) for name, each in held["prices"].items()}
    return PriceList(held["region"], str(held["gathered"]), usd)
