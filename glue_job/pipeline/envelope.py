"""Step 1, parse: from Kafka rows to events, each with its position or the reason it has none.

An AWS DMS message is `{"data": {..}, "metadata": {..}, "before-image": {..}}`, or a control record
with `control` in place of `data` (DMS user guide, "Using Apache Kafka as a target").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from glue_job.contract.model import Pipeline, Table
from glue_job.contract.types import DataType
from glue_job.pipeline import values
from glue_job.pipeline.built import built_once

COORDINATES = ("_topic", "_topic_id", "_partition", "_offset")
SEPARATOR = "\x01"
"""Between failed checks in `_failed`: no id of tables.yaml holds it."""

_LITERAL = (
    # whatever is not a number: text between, and whole strings
    r'(?s)\G([^"\-0123456789NI]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"\-0123456789NI]*+)*+)'
    # a JSON number that ends there, or the NaN and infinities that some encoders write
    r"((?:-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![0-9.eE+\-])|-?(?:NaN|Infinity))"
)
_ENVELOPE = (
    "v array<struct<data: map<string,string>, metadata: map<string,string>, "
    "`before-image`: map<string,string>>>, end string"
)
_STRICT = {"allowSingleQuotes": "false", "allowNonNumericNumbers": "false"}
_STREAM_POSITION = r"^([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})(?:\.|\z)"
_OPERATIONS = ("load", "insert", "update", "delete")
_TIMESTAMP = DataType("timestamp")
_LONG = DataType("long")


@dataclass(frozen=True)
class SourceNames:
    """What the metadata of a table's messages must say, and how its times are read."""

    schema: str
    table: str
    emission: str = "metadata"
    commit_time_required: bool = False
    """A CDC row without a commit time is refused: the table has accepted rows with one."""

    @classmethod
    def of(cls, pipeline: Pipeline, table: Table, *, commit_time_required: bool) -> SourceNames:
        """Take the names from the config."""
        settings = pipeline.settings
        return cls(
            schema=pipeline.source_database.schema_name,
            table=table.name,
            emission=settings.emission,
            commit_time_required=commit_time_required and settings.order != "fallback",
        )


def parse_envelope(
    rows: DataFrame,
    table: Table,
    source: SourceNames,
    patch: Mapping[str, str | None] | None = None,
) -> DataFrame:
    """Read DMS messages of one table.

    Args:
        rows: `topic, topic_id, partition, offset, timestamp` (of the Kafka record) and `value`
            (text or bytes, NULL for a tombstone).
        table: the table's entry of tables.yaml.
        source: the names that the messages must carry.
        patch: fields of `data` to replace by the text of a scalar, or by null.

    Returns:
        One row a message: `_topic, _topic_id, _partition, _offset, _kafka_timestamp, _raw_value`;
        `_class` (data, control or tombstone); `_operation` (load, insert, update, delete);
        the data columns in their types, NULL where absent or unreadable; `_present` and `_absent`
        (names of the columns that an accepted event gives, or does not give, a value for);
        `_extra` (map of fields that no column has); `_old_<key>` (the key in the before-image,
        set only when the event changes the key); `_time` (commit time, else the fallback; NULL
        for a load), `_sequenced` (whether there is a commit time), `_lsn` (16 hexadecimal
        digits, else empty), `_record_id`, `_emitted_at`; `_failed` (ids of what is wrong, joined
        by SEPARATOR, empty when nothing is).
    """
    return (
        rows.select(*_message_columns())
        .select(*_part_columns())
        .select("*", *_field_columns(table, tuple((patch or {}).items())))
        .select("*", *_value_columns(table))
        .select("*", *_position_columns(table, source))
        .select(*_event_columns(table, source))
    )


def exact_json(text: Column) -> Column:
    """Quote every number of a JSON text, so that no reader passes it through a double.

    Spark's JSON functions re-serialise a number read as text (`from_json`, `get_json_object`):
    12345678901234567890.123456 would arrive as 1.2345678901234567E19.
    """
    return F.regexp_replace(text, _LITERAL, '$1"$2"')


@built_once
def _message_columns() -> list[Column]:
    text = F.col("value").cast("string")
    # Two texts in one value, or text after the object, break the array or its end.
    wrapped = F.concat(F.lit('{"v":['), exact_json(text), F.lit('],"end":"."}'))
    return [
        F.col("topic").alias("_topic"),
        F.col("topic_id").alias("_topic_id"),
        F.col("partition").alias("_partition"),
        F.col("offset").alias("_offset"),
        F.col("timestamp").alias("_kafka_timestamp"),
        text.alias("_raw_value"),
        F.from_json(wrapped, _ENVELOPE, _STRICT).alias("json"),
    ]


@built_once
def _part_columns() -> list[Column]:
    """Find the parts of an envelope."""
    json = F.col("json")
    whole = (json["end"] == ".") & (F.size(json["v"]) == 1)
    record = F.when(whole, F.element_at(json["v"], 1))
    return [
        *map(F.col, (*COORDINATES, "_kafka_timestamp", "_raw_value")),
        record.isNotNull().alias("is_object"),
        record["metadata"].alias("meta"),
        record["data"].alias("data"),
        record["before-image"].alias("before"),
        F.lower(F.element_at(record["metadata"], "operation")).alias("_operation"),
    ]


@built_once
def _field_columns(table: Table, patch: tuple[tuple[str, str | None], ...]) -> list[Column]:
    """Find the row's fields under the names of the config."""
    key = F.array(*map(F.lit, table.primary_key))
    fields = _under_config_names("data", table.column_names)
    if patch:
        given = [part for name, text in patch for part in (F.lit(name), F.lit(text).cast("string"))]
        others = F.map_filter(fields, lambda name, _: ~name.isin([name for name, _ in patch]))
        fields = F.map_concat(others, F.create_map(*given))
    # A delete gives its key; what else it carries is not a value (DMS fills in nulls).
    of_key = F.map_filter(fields, lambda name, _: F.array_contains(key, name))
    return [
        F.when(_is_delete(), of_key).otherwise(fields).alias("fields"),
        _under_config_names("before", table.primary_key).alias("old_key"),
    ]


def _under_config_names(fields: str, names: tuple[str, ...]) -> Column:
    """Keep the fields that have a name of the config: exactly, else alone but for the case."""
    others = _other_names(fields, names)
    kept = F.map_filter(
        fields,
        lambda name, _: (
            ~F.array_contains(others, name) | _differs_in_case_only(name, fields, names)
        ),
    )
    renamed = F.transform_keys(kept, lambda name, _: _config_name(name, names))
    return F.when(F.size(others) > 0, renamed).otherwise(F.col(fields))


def _other_names(fields: str, names: tuple[str, ...]) -> Column:
    return F.array_except(F.map_keys(F.col(fields)), F.array(*map(F.lit, names)))


def _config_name(name: Column, names: tuple[str, ...]) -> Column:
    by_lower_case = F.create_map(*[F.lit(part) for own in names for part in (own.lower(), own)])
    return F.element_at(by_lower_case, F.lower(name))


def _differs_in_case_only(name: Column, fields: str, names: tuple[str, ...]) -> Column:
    own = _config_name(name, names)
    twins = F.filter(_other_names(fields, names), lambda other: F.lower(other) == F.lower(name))
    is_taken = F.array_contains(F.map_keys(F.col(fields)), own)
    return F.coalesce(~is_taken & (F.size(twins) == 1), F.lit(False))


def _text(name: str) -> Column:
    return F.element_at("fields", name)


def _is_delete() -> Column:
    return F.coalesce(F.col("_operation") == "delete", F.lit(False))


@built_once
def _value_columns(table: Table) -> list[Column]:
    """Read the values, those of the key before the event, and the times."""
    meta = F.col("meta")
    record_type = F.lower(F.element_at(meta, "record-type"))
    is_control = (record_type == "control") & ~F.col("_operation").startswith("truncate")
    row_class = (
        F.when(F.col("_raw_value").isNull(), "tombstone")
        .when(is_control, "control")
        .otherwise("data")
    )
    return [
        row_class.alias("_class"),
        *_typed_columns(table),
        *[
            values.read(F.element_at("old_key", name), table.column(name).type).alias(f"old.{name}")
            for name in table.primary_key
        ],
        values.read(F.element_at(meta, "commit-timestamp"), _TIMESTAMP).alias("commit"),
        values.read(F.element_at(meta, "timestamp"), _TIMESTAMP).alias("stated_emission"),
        values.read(F.element_at(meta, "transaction-record-id"), _LONG).alias("record_id"),
    ]


@built_once
def _position_columns(table: Table, source: SourceNames) -> list[Column]:
    return [*_old_key_columns(table), *_positions(source)]


@built_once
def _event_columns(table: Table, source: SourceNames) -> list[Column]:
    kept = (*COORDINATES, "_kafka_timestamp", "_raw_value", "_class", "_operation")
    place = ("_time", "_sequenced", "_lsn", "_record_id", "_emitted_at")
    return [
        *map(F.col, (*kept, *table.column_names)),
        *_given_and_missing(table),
        _extra(table).alias("_extra"),
        *[F.col(f"_old_{name}") for name in table.primary_key],
        *map(F.col, place),
        _failures(table, source).alias("_failed"),
    ]


def _typed_columns(table: Table) -> list[Column]:
    columns = []
    for column in table.schema:
        text = _text(column.name)
        if column.type.name == "string":
            text = F.when(~_is_nested(text, column.name), text)
        columns.append(values.read(text, column.type).alias(column.name))
    return columns


def _is_nested(text: Column, name: str) -> Column:
    """Tell an object or array from a string that holds the text of one."""
    opens = text.startswith("{") | text.startswith("[")
    unquoted = rf'(?i)"{_escaped(name)}"\s*:\s*[\[{{]'
    return F.coalesce(opens & F.col("_raw_value").rlike(unquoted), F.lit(False))


def _escaped(name: str) -> str:
    return "".join(char if char.isalnum() or char == "_" else f"\\{char}" for char in name)


def _old_key_columns(table: Table) -> list[Column]:
    """Give the key of the before-image where it is another than the row's."""
    old = {name: F.coalesce(F.col(f"`old.{name}`"), F.col(name)) for name in table.primary_key}
    changed = F.lit(False)
    for name in table.primary_key:
        changed = changed | ~old[name].eqNullSafe(F.col(name))
    moved = (F.col("_operation") == "update") & changed
    return [F.when(moved, old[name]).alias(f"_old_{name}") for name in table.primary_key]


def _positions(source: SourceNames) -> list[Column]:
    meta = F.col("meta")
    position = F.element_at(meta, "stream-position")
    commit, stated_emission = F.col("commit"), F.col("stated_emission")
    kafka = F.col("_kafka_timestamp")
    is_cdc = F.col("_operation") != "load"
    emitted = (
        kafka
        if source.emission == "kafka"
        else F.coalesce(stated_emission, F.when(is_cdc, commit), kafka)
    )
    halves = [
        F.lpad(F.upper(F.regexp_extract(position, _STREAM_POSITION, group)), 8, "0")
        for group in (1, 2)
    ]
    has_position = F.coalesce(position.rlike(_STREAM_POSITION), F.lit(False))
    unreadable = F.lit(False)
    for name, value in (
        ("commit-timestamp", commit),
        ("timestamp", stated_emission),
        ("transaction-record-id", F.col("record_id")),
    ):
        unreadable = unreadable | (F.element_at(meta, name).isNotNull() & value.isNull())
    sequenced = F.coalesce(is_cdc & commit.isNotNull(), F.lit(False))
    return [
        F.when(is_cdc, F.coalesce(commit, stated_emission, kafka)).alias("_time"),
        sequenced.alias("_sequenced"),
        # Only a position beside a commit time orders: alone it says nothing across restarts.
        F.when(sequenced & has_position, F.concat(*halves)).otherwise("").alias("_lsn"),
        F.when(sequenced, F.coalesce(F.col("record_id"), F.lit(0).cast("bigint")))
        .otherwise(F.lit(0).cast("bigint"))
        .alias("_record_id"),
        emitted.alias("_emitted_at"),
        F.coalesce(unreadable, F.lit(False)).alias("time_unreadable"),
    ]


def _given_and_missing(table: Table) -> list[Column]:
    """Name the columns that an event gives, all of them for an insert or a load, and the others."""
    every = F.array(*map(F.lit, table.column_names))
    none = F.array().cast("array<string>")
    names = F.map_keys("fields")
    whole_row = F.col("_operation").isin("insert", "load")
    given = F.when(whole_row, every).otherwise(F.array_intersect(every, names))
    missing = F.when(whole_row, none).otherwise(F.array_except(every, names))
    return [
        F.when(_is_delete(), none).otherwise(F.coalesce(given, none)).alias("_present"),
        F.when(_is_delete(), none).otherwise(F.coalesce(missing, none)).alias("_absent"),
    ]


def _extra(table: Table) -> Column:
    """Keep the fields that no column has."""
    names = table.column_names
    others = _other_names("data", names)
    unknown = F.map_filter(
        "data",
        lambda name, _: (
            F.array_contains(others, name) & ~_differs_in_case_only(name, "data", names)
        ),
    )
    return F.when(F.size(others) > 0, unknown)


def _failures(table: Table, source: SourceNames) -> Column:
    """Name what is wrong with a message: its envelope, else every field and its position."""
    envelope = _envelope_failure(source)
    unreadable = [
        F.when(
            _text(column.name).isNotNull() & F.col(column.name).isNull(),
            F.lit(f"BAD_TYPE:{column.name}"),
        )
        for column in table.schema
    ]
    unreadable_before = [
        F.when(
            (F.col("_operation") == "update")
            & F.element_at("old_key", name).isNotNull()
            & F.col(f"`old.{name}`").isNull(),
            F.lit(f"BAD_TYPE:{name}"),
        )
        for name in table.primary_key
    ]
    no_key = [F.when(_text(name).isNull(), F.lit(f"NULL_KEY:{name}")) for name in table.primary_key]
    no_sequence = F.col("time_unreadable")
    if source.commit_time_required:
        no_sequence = no_sequence | ((F.col("_operation") != "load") & ~F.col("_sequenced"))
    found = [*unreadable, *unreadable_before, *no_key, F.when(no_sequence, F.lit("NO_SEQUENCE"))]
    return F.coalesce(envelope, F.concat_ws(SEPARATOR, *found))


def _envelope_failure(source: SourceNames) -> Column:
    meta, operation = F.col("meta"), F.col("_operation")
    truncates = F.coalesce(operation.startswith("truncate"), F.lit(False))
    of_other = F.lit(False)
    for field, own in (("schema-name", source.schema), ("table-name", source.table)):
        stated = F.element_at(meta, field)
        of_other = of_other | F.coalesce((stated != "") & (stated != own), F.lit(False))
    return (
        F.when(F.col("_class") != "data", F.lit(""))
        .when(~F.col("is_object"), "BAD_JSON")
        .when(meta.isNull() | (F.col("data").isNull() & ~truncates), "BAD_ENVELOPE")
        .when(operation.isNull(), "BAD_ENVELOPE")
        .when(~operation.isin(*_OPERATIONS), "UNKNOWN_OPERATION")
        .when(of_other, "WRONG_TABLE")
    )
