"""The circuit breaker: a table stops rather than refuse most of a batch."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from glue_job.consent import way_on
from glue_job.contract.model import CircuitBreaker, Table
from glue_job.errors import JobError
from glue_job.pipeline.envelope import SEPARATOR

_NAMED_REASONS = 3


def stop_if_tripped(
    breaker: CircuitBreaker, wrong: DataFrame, refused: int, messages: int, table: Table
) -> None:
    """Raise when too large a share of a batch would go to quarantine.

    Args:
        breaker: the settings; batches of fewer than `min_rows` messages always pass.
        wrong: the rows that would be refused, with `_failed`.
        refused: how many they are.
        messages: how many data messages the batch has, those read before left aside.
        table: the table's entry of tables.yaml.

    Raises:
        JobError: LAK050, naming the reasons that most rows have. Nothing is written then.
    """
    if messages < breaker.min_rows or refused <= breaker.max_quarantine_ratio * messages:
        return
    reasons = wrong.select(F.explode(F.split("_failed", SEPARATOR)).alias("reason"))
    counted = reasons.groupBy("reason").count().orderBy(F.desc("count"), "reason")
    most = [f"{row['reason']} {row['count']}" for row in counted.take(_NAMED_REASONS)]
    raise JobError(
        code="LAK050",
        what=f"`{table.name}`: {refused} of {messages} messages of the batch would be quarantined, "
        f"more than the circuit breaker's {breaker.max_quarantine_ratio:.0%}",
        why=f"most of them fail {', '.join(most)}; nothing of the batch was written",
        fix="mend the source or the rule, or let it pass: "
        + way_on("--allow-quarantine", table.name),
    )
