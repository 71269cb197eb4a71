"""Step 3, check: every rule of a table in one projection; refused rows with all their reasons."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from glue_job.contract.lake import QUARANTINE_COLUMNS
from glue_job.contract.model import ALL_OPERATIONS, DqRule, Table
from glue_job.pipeline.built import built_once
from glue_job.pipeline.envelope import SEPARATOR
from glue_job.pipeline.transform import cannot_transform
from glue_job.rules import RULES

UNEVALUABLE = "RULE_ERROR"

_OF_DECISIONS = ("_status_reason", "_status_by", "_status_at", "_request_id")

_UNREADABLE = ("BAD_JSON", "BAD_ENVELOPE", "UNKNOWN_OPERATION", "WRONG_TABLE")
_FROM_THE_EVENT = frozenset(
    ("_raw_value", "_topic", "_topic_id", "_partition", "_offset", "_kafka_timestamp", "_operation")
)


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
    unevaluable = _unevaluable(table)
    kept = [name for name in events.columns if name != "_failed"]
    return events.select(*kept, *_check_columns(table, unevaluable))


@built_once
def _check_columns(table: Table, unevaluable: frozenset[str]) -> list[Column]:
    readable = F.col("_class") == "data"
    for reason in _UNREADABLE:
        readable = readable & (F.col("_failed") != reason)
    errors: list[Column] = []
    warnings: list[Column] = []
    for rule in table.dq_rules:
        if rule.id in unevaluable:
            errors.append(F.when(_applies(rule, table), F.lit(f"{UNEVALUABLE}:{rule.id}")))
            continue
        found = F.when(_applies(rule, table) & _broken(rule, table), F.lit(rule.id))
        (errors if rule.severity == "error" else warnings).append(found)
    errors += [
        F.when(fails & ~_is_delete(), F.lit(f"TRANSFORM_ERROR:{step}"))
        for step, fails in cannot_transform(table)
    ]
    so_far = F.col("_failed")
    failed = F.concat_ws(SEPARATOR, F.when(so_far != "", so_far), *errors)
    warned = F.concat_ws(SEPARATOR, *warnings)
    return [
        F.when(readable, failed).otherwise(so_far).alias("_failed"),
        F.when(readable, warned).otherwise("").alias("_warned"),
    ]


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


@built_once
def _unevaluable(table: Table) -> frozenset[str]:
    """Find the rules that Spark refuses; asked of all at once, and one by one only if need be."""

    def refuses(rules: tuple[DqRule, ...]) -> bool:
        try:
            SparkSession.active().createDataFrame([], _ddl(table)).select(
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
        "_status": F.lit("open"),
        "_attempts": F.lit(0),
        **dict.fromkeys(_OF_DECISIONS, F.lit(None)),
    }

    def value(name: str) -> Column:
        if name in own:
            return own[name]
        return F.col(name) if name in _FROM_THE_EVENT else stamps(name)

    return wrong.select(
        *table.column_names,
        *[value(name).cast(kind).alias(name) for name, kind in QUARANTINE_COLUMNS.items()],
    )


def _leading(code: Column, table: Table) -> Column:
    """Give the id of a rule, or what stands before the colon of any other code."""
    ids = [rule.id for rule in table.dq_rules]
    kind = F.substring_index(code, ":", 1)
    return F.when(code.isin(*ids), code).otherwise(kind) if ids else kind


def _detail(code: Column, table: Table) -> Column:
    """Spell one failed check out: its rule, column, parameters and the value it saw."""
    chosen = _check(code, "ENVELOPE", None, {})
    for failure, kind, column, params in _possible_failures(table):
        chosen = F.when(code == failure, _check(code, kind, column, params)).otherwise(chosen)
    return chosen


def _possible_failures(table: Table) -> Iterator[tuple[str, str, str, Mapping[str, object]]]:
    """Give every code that names a column, with its kind, the column and the parameters."""
    for field in table.schema:
        typed = {"type": str(field.type)}
        yield f"BAD_TYPE:{field.name}", "BAD_TYPE", field.name, typed
        if field.name in table.primary_key:
            yield f"NULL_KEY:{field.name}", "NULL_KEY", field.name, typed
    for step in table.transforms:
        named = {"id": step.id, **step.params}
        yield f"TRANSFORM_ERROR:{step.id}", "TRANSFORM_ERROR", step.column, named
    for rule in table.dq_rules:
        named = {"id": rule.id, **rule.params}
        yield rule.id, rule.type, rule.column, rule.params
        yield f"{UNEVALUABLE}:{rule.id}", UNEVALUABLE, rule.column, named


def _check(code: Column, kind: str, column: str | None, params: Mapping[str, object]) -> Column:
    """Give an element of `_failed_rules`; the kinds in capitals are the job's own."""
    own = kind.isupper()
    actual = F.col(column) if column else F.lit(None)
    return F.struct(
        (F.substring_index(code, ":", 1) if own else code).alias("id"),
        F.lit(kind).alias("type"),
        F.lit(column).cast("string").alias("column"),
        F.lit(json.dumps(dict(params), default=str)).alias("params"),
        actual.cast("string").alias("actual"),
    )
