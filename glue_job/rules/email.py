"""Rule `email`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from glue_job.parameters import Problem
from glue_job.rules.base import RULES, Example, Rule, only_on_strings

if TYPE_CHECKING:
    from pyspark.sql import Column as SparkColumn

    from glue_job.contract.model import Column, Table

LONGEST = 254
"""RFC 5321 section 4.5.3.1: a path has at most 256 octets, two of them angle brackets."""

_ATOM = r"[\p{L}\p{N}!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?"
PATTERN = rf"\A{_ATOM}(?:\.{_ATOM})*+@{_LABEL}(?:\.{_LABEL})++\z"


@RULES.register
class Email(Rule):
    """The text has the shape of an e-mail address: `name@host.domain`.

    Shape only: whether the mailbox exists is not asked. Quoted local parts and addresses of bare
    host names, legal but not in use, are rejected.
    """

    type = "email"
    examples = (
        Example(
            accepts=["ada@example.com", "o'neil+fleet@mail.example.co.uk", "jürgen@büro.de"],
            rejects=[
                "",
                "ada",
                "ada@",
                "ada@host",
                "@example.com",
                "a b@example.com",
                "ada@example..com",
                ".ada@example.com",
                "ada@-example.com",
                "ada@example.com\n",
                "a@b.com, c@d.com",
            ],
        ),
    )

    def problems(self, table: Table, column: Column | None) -> Iterable[Problem]:
        """Refuse other columns than strings."""
        yield from only_on_strings(self, column)

    def violates(self, value: SparkColumn, column: Column) -> SparkColumn:
        """Match the shape, after a bound on the length."""
        from pyspark.sql import functions as F

        return F.when(F.length(value) > LONGEST, F.lit(True)).otherwise(~value.rlike(PATTERN))
