"""The decoder reads bytes that PostgreSQL 18 sent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cdcctl.local.pgoutput import (
    Begin,
    Commit,
    Decoder,
    Delete,
    Insert,
    Relation,
    Truncate,
    Unchanged,
    Update,
)

RELATION = (
    "52000040017075626c6963006e6f746573006400030169640000000017ffffffff00"
    "7469746c6500000004130000001800626f64790000000019ffffffff"
)
RELATION_FULL = (
    "52000040017075626c6963006e6f746573006600030169640000000017ffffffff01"
    "7469746c6500000004130000001801626f64790000000019ffffffff"
)
OTHER = (
    "52000040097075626c6963006f74686572006400020169640000000017ffffffff00"
    "616d6f756e7400000006a4000a0006"
)


def decode(*messages: str) -> list[object]:
    decoder = Decoder()
    return [decoder.decode(bytes.fromhex(message)) for message in messages]


def test_a_transaction_begins_with_its_commit_time() -> None:
    (begin,) = decode("420000000001af942800030408236bdb32000002f3")
    assert begin == Begin(
        commit_lsn=0x1AF9428,
        committed_at=datetime(2026, 11, 24, 17, 52, 10, 652466, UTC),
        transaction_id=755,
    )


def test_a_transaction_ends_with_where_the_log_goes_on() -> None:
    (commit,) = decode("43000000000001af94280000000001af945800030408236bdb32")
    assert isinstance(commit, Commit)
    assert (commit.commit_lsn, commit.end_lsn) == (0x1AF9428, 0x1AF9458)


def test_a_table_is_described_before_it_is_used() -> None:
    (relation,) = decode(RELATION)
    assert isinstance(relation, Relation)
    assert (relation.name, relation.replica_identity) == ("public.notes", "d")
    assert [(c.name, c.type_id, c.type_modifier, c.is_identity) for c in relation.columns] == [
        ("id", 23, -1, True),
        ("title", 1043, 24, False),
        ("body", 25, -1, False),
    ]


def test_an_insert_has_nulls_and_text() -> None:
    _, insert = decode(RELATION, "49000040014e00037400000001326e740000000162")
    assert isinstance(insert, Insert)
    assert insert.new == {"id": "2", "title": None, "body": "b"}


def test_an_update_leaves_an_unchanged_large_value_out() -> None:
    _, update = decode(RELATION, "55000040014e000374000000013174000000016375")
    assert isinstance(update, Update)
    assert update.old is None
    assert update.new == {"id": "1", "title": "c", "body": Unchanged.TOAST}


def test_a_changed_key_comes_with_the_old_one() -> None:
    _, update = decode(RELATION, "55000040014b00037400000001326e6e4e00037400000001336e740000000162")
    assert isinstance(update, Update)
    assert update.old == {"id": "2"}
    assert update.new["id"] == "3"


def test_a_delete_holds_the_identity_columns() -> None:
    _, delete = decode(RELATION, "44000040014b00037400000001336e6e")
    assert isinstance(delete, Delete)
    assert delete.old == {"id": "3"}


def test_under_full_identity_a_delete_holds_the_row() -> None:
    _, delete = decode(RELATION_FULL, "44000040014f0003740000000131740000000164740000000162")
    assert isinstance(delete, Delete)
    assert delete.old == {"id": "1", "title": "d", "body": "b"}


def test_a_truncate_names_its_tables() -> None:
    _, truncate = decode(OTHER, "54000000010000004009")
    assert isinstance(truncate, Truncate)
    assert [relation.name for relation in truncate.relations] == ["public.other"]


def test_a_message_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown replication message 'Z'"):
        decode("5a00")


def test_a_row_that_does_not_fit_its_table_is_refused() -> None:
    with pytest.raises(ValueError, match="has 2 columns"):
        decode(RELATION, "49000040014e00027400000001326e")
