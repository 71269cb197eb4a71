"""Rule `vin`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from glue_job.parameters import Flag, Params, Problem
from glue_job.rules.base import RULES, Example, Rule, only_on_strings

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

    from glue_job.contract.model import Column, Table

PATTERN = r"\A[A-HJ-NPR-Z0-9]{17}\z"
_LETTERS, _DIGITS = "ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789"
_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_CHECK_POSITION = 9
_CHECK_DIGITS = "0123456789X"


@RULES.register
class Vin(Rule):
    """The text is a vehicle identification number: 17 capitals and digits, never I, O or Q.

    `check_digit: true` also verifies the ninth character (49 CFR 565.15), which vehicles sold in
    North America must have and others need not.
    """

    type = "vin"
    params = Params(
        check_digit=Flag("whether the ninth character must be the check digit", default=False)
    )
    examples = (
        Example(
            accepts=["1M8GDM9AXKP042788", "WVWZZZ1JZXW000001"],
            rejects=[
                "",
                "1M8GDM9AXKP04278",
                "1M8GDM9AXKP0427881",
                "1m8gdm9axkp042788",
                "IM8GDM9AXKP042788",
                "1M8GDM9AXKP042788\n",
            ],
        ),
        Example(
            {"check_digit": True},
            accepts=["1M8GDM9AXKP042788", "11111111111111111"],
            rejects=["1M8GDM9A1KP042788", "1M8GDM9AXKP042789", "short"],
        ),
    )

    check_digit: bool

    def problems(self, table: Table, column: Column | None) -> Iterable[Problem]:
        """Refuse other columns than strings."""
        yield from only_on_strings(self, column)

    def violates(self, value: SparkColumn, column: Column) -> SparkColumn:
        """Match the alphabet, then compare the check digit where it is asked for."""
        from pyspark.sql import functions as F

        shaped = value.rlike(PATTERN)
        if not self.check_digit:
            return ~shaped
        digits = F.translate(value, _LETTERS, _DIGITS)
        weighted = [
            F.substring(digits, position, 1).cast("int") * weight
            for position, weight in enumerate(_WEIGHTS, start=1)
            if weight
        ]
        remainder = sum(weighted[1:], weighted[0]) % len(_CHECK_DIGITS)
        expected = F.lit(_CHECK_DIGITS).substr(remainder + 1, F.lit(1))
        matches = F.substring(value, _CHECK_POSITION, 1) == expected
        return F.when(shaped, ~matches).otherwise(F.lit(True))
