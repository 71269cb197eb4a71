"""Step 3, check: every rule of a table in one projection, then refused rows with all their reasons."""

from __future__ import annotations

import json
from collections.abc import Callable

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from glue_job.contract.lake import QUARANTINE_COLUMNS
from glue_job.contract.model import ALL_OPERATIONS, DqRule, Table
from glue_job.pipeline.envelope import SEPARATOR
from glue_job.pipeline.transform import cannot_transform
from glue_job.rules import RULES

UNEVALUABLE = "RULE_ERROR"


def check_rules(events: DataFrame, table: Table) -> DataFrame:
    """Apply every rule and try every transform.

    Args:
        events: the result of `parse_envelope`.
        table: the table's entry of tables.yaml.

    Returns:
        The events with `_failed` extended by the ids of the broken rules of severity error, in
        config order (then `TRANSFORM_ERROR:<id>`), and `_warned` (ids of the broken rules of
        severity warning). An event whose envelope could not be read is not checked any further;
        one with an unreadable field is checked on the others. A rule that Spark cannot evaluate
        refuses the rows it applies to as `RULE_ERROR:<id>`.
    """
    readable = F.col("_class") == "data"
    for reason in ("BAD_JSON", "BAD_ENVELOPE", "UNKNOWN_OPERATION", "WRONG_TABLE"):
        readable = readable & (F.col("_failed") != reason)
    errors: list[Column] = []
    warnings: list[Column] = []
    unevaluable = _unevaluable(table, events)
    for rule in table.dq_rules:
        if rule.id in unevaluable:
            errors.append(F.when(_applies(rule, table), F.lit(f"{UNEVALUABLE}:{rule.id}")))
            continue
        found = F.when(_applies(rule, table) & _broken(rule, table), F.lit(rule.id))
        (errors if rule.severity == "error" else warnings).append(found)
    errors += [
        F.when(fails & ~_is_delete(), F.lit(f"TRANSFORM_ERROR:{step}"))
        for step, fails in cannot_transform(events, table)
    ]
    kept = [name for name in events.columns if name != "_failed"]
    return events.select(
        *kept,
        F.when(
            readable,
            F.concat_ws(SEPARATOR, F.when(F.col("_failed") != "", F.col("_failed")), *errors),
        )
        .otherwise(F.col("_failed"))
        .alias("_failed"),
        F.when(readable, F.concat_ws(SEPARATOR, *warnings)).otherwise("").alias("_warned"),
    )


def _is_delete() -> Column:
    return F.col("_operation") == "delete"


def _applies(rule: DqRule, table: Table) -> Column:
    """Tell which events a rule looks at: deletes by key columns only, updates by given fields."""
    given = ~F.array_contains("_absent", rule.column)
    typed = ~F.array_contains(F.split("_failed", SEPARATOR), f"BAD_TYPE:{rule.column}")
    if rule.operations == ALL_OPERATIONS:
        on_delete = F.lit(rule.column in table.primary_key)
        chosen = F.when(_is_delete(), on_delete).otherwise(given)
    else:
        chosen = F.col("_operation").isin(*sorted(rule.operations)) & given
    return F.coalesce(chosen & typed, F.lit(False))


def _broken(rule: DqRule, table: Table) -> Column:
    column = table.column(rule.column)
    check = RULES.build(rule.type, rule.params)
    return check.violation(F.col(rule.column), column, rule.nulls)


def _unevaluable(table: Table, events: DataFrame) -> frozenset[str]:
    """Find the rules that Spark refuses; asked of all at once, and one by one only if need be."""

    def refuses(rules: tuple[DqRule, ...]) -> bool:
        try:
            events.sparkSession.createDataFrame([], _ddl(table)).select(
                *[_broken(rule, table).alias(rule.id) for rule in rules]
            )
        except (AnalysisException, KeyError, ValueError):
            return True
        return False

    if not refuses(table.dq_rules):
        return frozenset()
    return frozenset(rule.id for rule in table.dq_rules if refuses((rule,)))


def _ddl(table: Table) -> str:
    return ", ".join(f"`{column.name}` {column.type.spark_ddl}" for column in table.schema)


def accepted(checked: DataFrame) -> DataFrame:
    """Give the data events that nothing is wrong with."""
    return checked.filter((F.col("_class") == "data") & (F.col("_failed") == ""))


def refused(wrong: DataFrame, table: Table, stamps: Callable[[str], Column]) -> DataFrame:
    """Give the rows of quarantine.

    Args:
        wrong: rows of `check_rules` with a `_failed` that is not empty.
        table: the table's entry of tables.yaml.
        stamps: gives the batch's own values by column name: `_quarantined_at`, `_config_hash`,
            `_application_id`, `_batch_id`.

    Returns:
        The data columns as far as they were read, then `QUARANTINE_COLUMNS`.
    """
    codes = F.split("_failed", SEPARATOR)
    own = {
        "_failed_rule": _leading(codes[0], table),
        "_failed_rules": F.transform(codes, lambda code: _detail(code, table)),
    }
    passed_on = {
        "_raw_value", "_topic", "_topic_id", "_partition", "_offset", "_kafka_timestamp", "_operation",
    }  # fmt: skip
    return wrong.select(
        *table.column_names,
        *[
            (
                own[name] if name in own
                else F.col(name) if name in passed_on
                else stamps(name)
            ).cast(kind).alias(name)
            for name, kind in QUARANTINE_COLUMNS.items()
        ],
    )  # fmt: skip


def _leading(code: Column, table: Table) -> Column:
    ids = [rule.id for rule in table.dq_rules]
    return (
        F.when(code.isin(*ids), code).otherwise(F.substring_index(code, ":", 1))
        if ids
        else (F.substring_index(code, ":", 1))
    )


def _detail(code: Column, table: Table) -> Column:
    """Spell one failed check out: its rule, column, parameters and the value it saw."""

    def entry(kind: str, column: str | None, params: str) -> Column:
        actual = F.col(column).cast("string") if column else F.lit(None).cast("string")
        return F.struct(
            F.substring_index(code, ":", 1).alias("id") if kind.isupper() else code.alias("id"),
            F.lit(kind).alias("type"),
            F.lit(column).cast("string").alias("column"),
            F.lit(params).alias("params"),
            actual.alias("actual"),
        )

    chosen = entry("ENVELOPE", None, "{}")
    for column in table.schema:
        for reason in ("BAD_TYPE", "NULL_KEY"):
            if reason == "NULL_KEY" and column.name not in table.primary_key:
                continue
            typed = json.dumps({"type": str(column.type)})
            chosen = F.when(
                code == f"{reason}:{column.name}", entry(reason, column.name, typed)
            ).otherwise(chosen)
    for step in table.transforms:
        chosen = F.when(
            code == f"TRANSFORM_ERROR:{step.id}",
            entry(
                "TRANSFORM_ERROR",
                step.column,
                json.dumps({"id": step.id, **step.params}, default=str),
            ),
        ).otherwise(chosen)
    for rule in table.dq_rules:
        params = json.dumps(dict(rule.params), default=str)
        chosen = F.when(code == rule.id, entry(rule.type, rule.column, params)).otherwise(chosen)
        chosen = F.when(
            code == f"{UNEVALUABLE}:{rule.id}",
            entry(
                UNEVALUABLE, rule.column, json.dumps({"id": rule.id, **rule.params}, default=str)
            ),
        ).otherwise(chosen)
    return chosen
