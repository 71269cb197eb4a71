"""What a stack costs, in words."""

from __future__ import annotations

from cdcctl.operations.cost.estimate import USAGE, Estimate


def a_day(cost: Estimate) -> str:
    """Give the dollars of a day."""
    return f"~$ {cost.daily:,.2f}/day"


def a_month(cost: Estimate, before: Estimate | None = None) -> str:
    """Give the dollars of a month, and how they differ from those of before."""
    told = f"about $ {cost.monthly:,.0f} a month"
    if before is None:
        return told
    difference = round(cost.monthly) - round(before.monthly)
    return f"{told}, {difference:+,d} $" if difference else f"{told}, as before"


def basis(cost: Estimate, region: str) -> list[str]:
    """Say what an estimate stands on and what it leaves out, in lines."""
    elsewhere = "" if region == cost.region else f"; those of {region} differ"
    return [
        f"list prices of {cost.region}, {cost.gathered}{elsewhere}",
        f"not counted: {', '.join((*cost.unpriced, *USAGE))}",
    ]
