"""Messages as DMS writes them, from rows as PostgreSQL gives them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cdcctl.local.dms_json import BooleanSpelling, ColumnType, spelling
from cdcctl.local.dms_message import (
    ChangePosition,
    EmissionClock,
    MessageBuilder,
    MessageSettings,
)
from cdcctl.local.flush import FlushPosition
from cdcctl.local.pgoutput import Delete, Relation, Row, Unchanged, Update
from cdcctl.local.source_table import SourceColumn, SourceTable

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
TABLE = SourceTable(
    schema="public",
    table="foo",
    topic="cdc-foo",
    columns=(
        SourceColumn("id", ColumnType(23), nullable=False),
        SourceColumn("name", ColumnType(25), nullable=True),
        SourceColumn("on", ColumnType(16), nullable=True),
    ),
    primary_key=("id",),
)
RELATION = Relation(1, "public", "foo", "d", ())
POSITION = ChangePosition(0x27C007178, 3, 1139, NOON, previous=(1138, 2))


def build(settings: MessageSettings | None = None, offset: float = 0.0) -> MessageBuilder:
    clock = EmissionClock(timedelta(seconds=offset), now=lambda: NOON)
    return MessageBuilder(settings or MessageSettings(), clock)


def update(old: Row | None, new: Row, settings: MessageSettings | None = None) -> dict[str, Any]:
    message = build(settings).change(TABLE, Update(RELATION, old, new), POSITION)
    return dict(json.loads(message.value))


def test_metadata_is_spelled_as_in_a_real_message() -> None:
    metadata = update(None, {"id": "1", "name": "a", "on": "t"})["metadata"]
    assert metadata == {
        "timestamp": "2026-01-02T12:00:00.000000Z",
        "record-type": "data",
        "operation": "update",
        "partition-key-type": "schema-table",
        "schema-name": "public",
        "table-name": "foo",
        "transaction-id": 1139,
        "transaction-record-id": 3,
        "prev-transaction-id": 1138,
        "prev-transaction-record-id": 2,
        "commit-timestamp": "2026-01-02T12:00:00.000000Z",
        "stream-position": "00000002/7C007178.3.00000002/7C007178",
    }


def test_no_two_messages_have_one_emission_time() -> None:
    clock = EmissionClock(now=lambda: NOON)
    assert clock.stamp() < clock.stamp() < clock.stamp()


def test_the_clock_of_dms_may_be_ahead() -> None:
    message = build(offset=90).load(TABLE, {"id": "1", "name": None, "on": None})
    assert json.loads(message.value)["metadata"]["timestamp"] == "2026-01-02T12:01:30.000000Z"


def test_an_unchanged_large_value_may_be_sent_as_null() -> None:
    new: Row = {"id": "1", "name": Unchanged.TOAST, "on": "t"}
    assert update(None, new)["data"] == {"id": 1, "on": "t"}
    settings = MessageSettings(unchanged_toast="null")
    assert update(None, new, settings)["data"] == {"id": 1, "name": None, "on": "t"}
    assert update({"id": "1", "name": "long", "on": "t"}, new)["data"]["name"] == "long"


def test_before_images_can_be_off() -> None:
    new: Row = {"id": "2", "name": None, "on": None}
    assert update({"id": "1"}, new)["before-image"] == {"id": 1}
    assert "before-image" not in update({"id": "1"}, new, MessageSettings(before_image="none"))


def test_a_delete_has_nulls_or_its_key_only() -> None:
    delete = Delete(RELATION, {"id": "1"})
    nulls = json.loads(build().change(TABLE, delete, POSITION).value)
    keys = MessageSettings(deletes="keys-only")
    only_keys = json.loads(build(keys).change(TABLE, delete, POSITION).value)
    assert nulls["data"] == {"id": 1, "name": None, "on": None}
    assert only_keys["data"] == {"id": 1}


@pytest.mark.parametrize(
    ("booleans", "loaded", "changed"),
    [("mixed", "true", "t"), ("words", "true", "true"), ("letters", "t", "t")],
)
def test_booleans_have_three_spellings(booleans: str, loaded: str, changed: str) -> None:
    settings = MessageSettings(booleans=BooleanSpelling(booleans))
    load = build(settings).load(TABLE, {"id": "1", "name": None, "on": "true"})
    assert json.loads(load.value)["data"]["on"] == loaded
    assert update(None, {"id": "1", "name": None, "on": "t"}, settings)["data"]["on"] == changed


NUMERIC_10_2 = (10 << 16 | 2) + 4
NUMERIC_39_0 = (39 << 16) + 4


@pytest.mark.parametrize(
    ("type_id", "modifier", "text", "spelled"),
    [
        (20, -1, "9223372036854775807", "9223372036854775807"),
        (701, -1, "1e+100", "1e+100"),
        (701, -1, "-Infinity", '"-Infinity"'),
        (1700, NUMERIC_10_2, "100.10", "100.10"),
        (1700, NUMERIC_10_2, "NaN", '"NaN"'),
        (1700, NUMERIC_39_0, "1", '"1"'),
        (1700, -1, "1.23456789", "1.234568"),
        (1700, -1, "12345678901234567890123456789012345678.5", None),
        (1700, -1, "7", "7"),
        (790, -1, "-$1,234.50", "-1234.5000"),
        (1114, -1, "2022-12-18 19:28:42.44", '"2022-12-18T19:28:42.440000Z"'),
        (1184, -1, "2022-12-18 19:28:42+00", '"2022-12-18T19:28:42Z"'),
        (1184, -1, "0044-03-15 12:00:00+00 BC", '"0001-01-01T00:00:00Z"'),
        (17, -1, "\\xdeadbeef", '"0xDEADBEEF"'),
        (114, -1, '{"a": "ü\\n"}', '"{\\"a\\": \\"ü\\\\n\\"}"'),
        (25, -1, 'tab\t"quote"', '"tab\\t\\"quote\\""'),
        (1186, -1, "1 day", '"1 day"'),
    ],
)
def test_values_are_spelled_exactly(
    type_id: int, modifier: int, text: str, spelled: str | None
) -> None:
    spell = spelling(ColumnType(type_id, modifier), BooleanSpelling.MIXED)
    assert spell(text) == (text if spelled is None else spelled)


def test_the_log_is_released_up_to_the_first_commit_that_is_not_safe() -> None:
    flush = FlushPosition()
    first, second = flush.begin(), flush.begin()
    for transaction, end in ((first, 10), (second, 20)):
        transaction.expect()
        transaction.commit(end)
    second.acknowledge()
    assert flush.confirmed(received=99) == 0
    first.acknowledge()
    assert flush.confirmed() == 20
    assert flush.confirmed(received=99) == 99
    flush.begin()
    assert flush.confirmed(received=200) == 99
