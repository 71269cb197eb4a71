"""The capture between a real PostgreSQL and a real broker writes what DMS writes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial

import psycopg2
import pytest

from tests.local.conftest import FIRST_ROWS
from tests.local.running_stack import Message, RunningStack, eventually

pytestmark = pytest.mark.local


@pytest.fixture
def full_identity(running: RunningStack) -> Iterator[None]:
    running.sql("ALTER TABLE notes REPLICA IDENTITY FULL")
    yield
    running.sql("ALTER TABLE notes REPLICA IDENTITY DEFAULT")


def reload(running: RunningStack, table: str) -> None:
    running.control(f"reload.{table}").touch()
    eventually(lambda: not running.control(f"reload.{table}").exists() or None)


def loads(running: RunningStack, table: str, since: str) -> list[Message]:
    """Wait for the load that began after an emission time."""
    eventually(lambda: is_loaded(running, table) or None)
    return [
        message
        for message in running.messages(table)
        if message.operation == "load" and message.metadata["timestamp"] > since
    ]


def is_loaded(running: RunningStack, table: str) -> bool:
    tables = running.status().tables
    return next(each.is_loaded for each in tables if each.table == f"public.{table}")


def last_emission(running: RunningStack, table: str) -> str:
    return max(message.metadata["timestamp"] for message in running.messages(table))


def test_a_change_carries_its_transaction_and_its_place_in_it(running: RunningStack) -> None:
    running.sql(
        "INSERT INTO notes VALUES (100, 'a', NULL), (101, 'b', NULL)",
        "UPDATE notes SET title = 'c' WHERE id = 100",
        "DELETE FROM notes WHERE id = 101",
    )
    inserted, other, updated, deleted = running.changes_of("notes", {100, 101}, 4)
    assert [m.metadata["transaction-record-id"] for m in (inserted, other, updated, deleted)] == [
        1, 2, 3, 4,
    ]  # fmt: skip
    assert len({m.metadata["transaction-id"] for m in (inserted, other, updated, deleted)}) == 1
    assert len({m.metadata["commit-timestamp"] for m in (inserted, updated)}) == 1
    assert inserted.key == "public.notes"
    assert inserted.metadata["partition-key-type"] == "schema-table"
    assert "partition-key-value" not in inserted.metadata
    lsn, ordinal, again = updated.metadata["stream-position"].split(".")
    assert (ordinal, lsn) == ("3", again)
    assert len(lsn) == 17
    assert updated.value["before-image"] == {}
    assert deleted.row == {"id": 101, "title": None, "body": None}
    assert "before-image" not in deleted.value
    assert updated.metadata["prev-transaction-record-id"] == 2


def test_types_are_spelled_as_dms_does(running: RunningStack) -> None:
    running.sql("DELETE FROM kinds", FIRST_ROWS)
    first, second = running.changes_of("kinds", {1, 2}, 2)[-2:]
    assert '"big":9007199254740993,' in first.text
    assert '"amount":12345678901234567890.1234567890,' in first.text
    assert first.row["wide"] == "1234567890123456789012345678901234567890.10"
    assert first.row["flag"] == "t"
    assert first.row["seen"] == "2024-02-03T03:05:06.789000Z"
    assert first.row["local_seen"] == "2024-02-03T04:05:06Z"
    assert (first.row["day"], first.row["hour"]) == ("2024-02-03", "04:05:06")
    assert '"price":-1234.5000,' in first.text
    assert first.row["document"] == '{"a": [1, "ü"]}'
    assert first.row["raw"] == "0x80057D942E"
    assert first.row["tags"] == '{a,"b c"}'
    assert second.row["ratio"] == "NaN"
    assert second.row["seen"] == "9999-12-31T23:59:59.999999Z"
    assert second.row["local_seen"] == "0001-01-01T00:00:00Z"


def test_a_load_spells_booleans_as_words_and_is_keyed_by_the_primary_key(
    running: RunningStack,
) -> None:
    running.sql("INSERT INTO kinds (id, flag) VALUES (10, true) ON CONFLICT DO NOTHING")
    running.changes_of("kinds", {10}, 1)
    since = last_emission(running, "kinds")
    reload(running, "kinds")
    (loaded,) = [m for m in loads(running, "kinds", since) if m.row["id"] == 10]
    assert loaded.key == loaded.metadata["partition-key-value"] == "public.kinds.10"
    assert loaded.row["flag"] == "true"
    assert not {"commit-timestamp", "stream-position", "transaction-id"} & set(loaded.metadata)


def test_changes_during_a_load_are_emitted_after_it(running: RunningStack) -> None:
    running.sql("INSERT INTO notes VALUES (200, 'old', NULL), (201, 'gone', NULL)")
    running.changes_of("notes", {200, 201}, 2)
    since = last_emission(running, "notes")
    hold = running.control("hold-after-select.notes")
    hold.touch()
    reload(running, "notes")
    time.sleep(0.7)
    running.sql("UPDATE notes SET title = 'new' WHERE id = 200")
    running.sql("DELETE FROM notes WHERE id = 201")
    running.sql("INSERT INTO pairs VALUES (1, 'meanwhile', 1) ON CONFLICT DO NOTHING")
    running.wait_for("pairs", lambda m: m.row.get("right_id") == "meanwhile")
    assert not [m for m in running.messages("notes") if m.metadata["timestamp"] > since
                and m.metadata["record-type"] == "data"]  # fmt: skip
    hold.unlink()
    late = running.wait_for(
        "notes",
        lambda m: m.metadata["timestamp"] > since and m.row.get("id") in {200, 201},
        count=4,
    )
    assert [(m.operation, m.row["id"]) for m in late] == [
        ("load", 200), ("load", 201), ("update", 200), ("delete", 201),
    ]  # fmt: skip
    assert late[0].row["title"] == "old"
    assert late[2].metadata["commit-timestamp"] < late[0].metadata["timestamp"]


def test_a_load_that_starts_late_sees_what_the_kept_changes_say_again(
    running: RunningStack,
) -> None:
    running.sql("INSERT INTO notes VALUES (210, 'old', NULL)")
    running.changes_of("notes", {210}, 1)
    since = last_emission(running, "notes")
    hold = running.control("hold-before-select.notes")
    hold.touch()
    reload(running, "notes")
    time.sleep(0.5)
    running.sql("UPDATE notes SET title = 'new' WHERE id = 210")
    hold.unlink()
    loaded, updated = running.wait_for(
        "notes", lambda m: m.metadata["timestamp"] > since and m.row.get("id") == 210, count=2
    )
    assert (loaded.operation, loaded.row["title"]) == ("load", "new")
    assert (updated.operation, updated.row["title"]) == ("update", "new")


def test_a_load_is_announced_by_a_control_record(running: RunningStack) -> None:
    (first, *_) = running.wait_for("pairs", lambda m: m.operation == "create-table")
    definition = first.value["control"]["table-def"]
    assert definition["primary-key"] == ["left_id", "right_id"]
    assert definition["columns"]["left_id"] == {"type": "INT32", "nullable": False}
    assert first.metadata["record-type"] == "control"
    assert first.key == "cdcctl-local.public.pairs"


def test_a_changed_key_shows_in_the_before_image(running: RunningStack) -> None:
    running.sql("INSERT INTO pairs VALUES (5, 'x', 1) ON CONFLICT DO NOTHING")
    running.sql("UPDATE pairs SET right_id = 'y' WHERE left_id = 5")
    (moved, *_) = running.wait_for(
        "pairs", lambda m: m.operation == "update" and m.row["right_id"] == "y"
    )
    assert moved.value["before-image"] == {"left_id": 5, "right_id": "x"}


@pytest.mark.usefixtures("full_identity")
def test_full_identity_is_cut_to_the_key(running: RunningStack) -> None:
    running.sql("INSERT INTO notes VALUES (300, 'a', 'b')")
    running.sql("UPDATE notes SET title = 'c' WHERE id = 300")
    running.sql("UPDATE notes SET id = 301 WHERE id = 300")
    running.sql("DELETE FROM notes WHERE id = 301")
    _, same, moved, deleted = running.changes_of("notes", {300, 301}, 4)
    assert same.value["before-image"] == {}
    assert moved.value["before-image"] == {"id": 300}
    assert deleted.row == {"id": 301, "title": None, "body": None}


LARGE = "SELECT string_agg(md5(n::text), '') FROM generate_series(1, 1000) n"


def test_an_unchanged_large_value_is_absent(running: RunningStack) -> None:
    running.sql(f"INSERT INTO notes VALUES (400, 'a', ({LARGE}))")
    running.sql("UPDATE notes SET title = 'b' WHERE id = 400")
    inserted, updated = running.changes_of("notes", {400}, 2)
    assert len(inserted.row["body"]) == 32_000
    assert updated.row == {"id": 400, "title": "b"}


@pytest.mark.usefixtures("full_identity")
def test_full_identity_gives_the_unchanged_large_value(running: RunningStack) -> None:
    running.sql(f"INSERT INTO notes VALUES (410, 'a', ({LARGE}))")
    running.sql("UPDATE notes SET title = 'b' WHERE id = 410")
    inserted, updated = running.changes_of("notes", {410}, 2)
    assert updated.row["body"] == inserted.row["body"]


def test_a_truncate_is_a_control_record(running: RunningStack) -> None:
    running.sql("TRUNCATE pairs")
    (record, *_) = running.wait_for("pairs", lambda m: m.operation == "truncate-table")
    assert record.metadata["record-type"] == "control"
    log = running.stack.logs / "capture.log"
    assert "public.pairs was truncated" in log.read_text()


def test_a_new_column_is_captured(running: RunningStack) -> None:
    running.sql("ALTER TABLE pairs ADD COLUMN IF NOT EXISTS extra date")
    running.sql("INSERT INTO pairs VALUES (9, 'extra', 1, '2026-01-02') ON CONFLICT DO NOTHING")
    (found, *_) = running.wait_for("pairs", lambda m: m.row.get("right_id") == "extra")
    assert found.row["extra"] == "2026-01-02"


def test_a_killed_capture_delivers_again_with_the_same_positions(running: RunningStack) -> None:
    hold = running.control("hold-after-select.notes")
    hold.touch()
    reload(running, "notes")
    time.sleep(0.5)
    # A change of the held table keeps the source's log from being released past it.
    running.sql("INSERT INTO notes VALUES (500, 'held', NULL)")
    running.sql("INSERT INTO kinds (id) VALUES (500), (501)", "DELETE FROM kinds WHERE id = 500")
    before = running.changes_of("kinds", {500, 501}, 3)
    running.kill("capture")
    hold.unlink()
    again = running.changes_of("kinds", {500, 501}, 6)
    assert [m.position for m in again[3:]] == [m.position for m in before]
    assert again[3].metadata["timestamp"] > before[-1].metadata["timestamp"]
    running.changes_of("notes", {500}, 1)


@pytest.mark.parametrize("server", ["broker", "postgres"])
def test_a_killed_server_comes_back_and_nothing_is_lost(
    running: RunningStack, server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = {"broker": 600, "postgres": 700}[server]
    running.sql(*(f"INSERT INTO notes VALUES ({first + n}, 'a', NULL)" for n in range(20)))
    told = f"→ {server} ended: ended by SIGKILL cdcctl logs {server} --local"
    running.kill(server, meanwhile=lambda: told in running.screen(capsys))
    for key in range(first + 20, first + 40):
        insert = f"INSERT INTO notes VALUES ({key}, 'b', NULL) ON CONFLICT DO NOTHING RETURNING 1"
        eventually(partial(running.sql, insert))
    wanted = set(range(first, first + 40))

    def all_of_them() -> list[Message] | None:
        # Some come twice: their number alone does not tell that none is missing.
        changes = running.changes_of("notes", wanted, 40)
        return changes if {m.row["id"] for m in changes} == wanted else None

    found = eventually(all_of_them)
    by_key: dict[int, set[str]] = {}
    for message in found:
        by_key.setdefault(message.row["id"], set()).add(json.dumps(message.position))
    assert all(len(positions) == 1 for positions in by_key.values())


def test_a_key_that_is_dropped_is_told_while_its_table_is_captured(
    running: RunningStack, capsys: pytest.CaptureFixture[str]
) -> None:
    eventually(lambda: "nothing is wrong" in running.screen(capsys) or None)
    running.sql("ALTER TABLE pairs DROP CONSTRAINT pairs_pkey")
    told = (
        "1 problem → table public.pairs has no primary key: its updates and deletes cannot be"
        " captured at the source: ALTER TABLE public.pairs ADD PRIMARY KEY (left_id, right_id)"
    )
    try:
        eventually(lambda: told in running.screen(capsys) or None)
        running.sql("INSERT INTO pairs VALUES (41, 'keyless', 1)")
        running.wait_for("pairs", lambda m: m.row.get("right_id") == "keyless")
        with pytest.raises(psycopg2.Error, match="does not have a replica identity"):
            running.sql("UPDATE pairs SET value = 2 WHERE left_id = 41")
    finally:
        running.sql("ALTER TABLE pairs ADD PRIMARY KEY (left_id, right_id)")
    eventually(lambda: "nothing is wrong" in running.screen(capsys) or None)


def test_the_log_of_an_idle_source_is_released(running: RunningStack) -> None:
    running.sql("CREATE TABLE IF NOT EXISTS elsewhere (id int)", "INSERT INTO elsewhere VALUES (1)")
    (target,) = running.sql("SELECT pg_current_wal_lsn()")[0]
    eventually(
        lambda: (
            running.sql(
                "SELECT bool_and(confirmed_flush_lsn >= '" + target + "') FROM pg_replication_slots"
            )[0][0]
            or None
        )
    )


def test_no_secret_is_on_a_command_line(running: RunningStack) -> None:
    import psutil

    secrets = [file.read_text() for file in running.stack.secrets.iterdir()]
    lines = [" ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"])]
    assert not [line for line in lines if any(secret in line for secret in secrets)]
    assert all(file.stat().st_mode & 0o077 == 0 for file in running.stack.secrets.iterdir())
