"""The order in which the tests are handed out."""

from __future__ import annotations

from pathlib import Path

from tests.schedule import LONGEST, ONE_SESSION, SHARED, rank, unit_of

ROOT = Path(__file__).parents[2]


def test_what_is_named_is_there() -> None:
    files = {*LONGEST, *SHARED} - {ONE_SESSION}
    assert [name for name in files if not (ROOT / name).exists()] == []


def test_one_process_takes_all_that_share_a_session() -> None:
    assert unit_of("tests/spark/test_repair.py::test_a[x::y]") == ONE_SESSION
    assert unit_of("tests/local/test_stream.py::test_a") == ONE_SESSION
    assert unit_of("tests/spark/test_kills.py::test_a") == "tests/spark/test_kills.py"
    assert unit_of("tests/local/test_fleet.py::test_a") == "tests/local/test_fleet.py"


def test_the_longest_come_first_and_no_file_is_torn() -> None:
    given = ["tests/unit/b.py::t", "tests/spark/test_kills.py::t", "tests/spark/a.py::t"]
    given += ["tests/unit/a.py::t", "tests/aws/test_whole_pipeline.py::t", "tests/unit/a.py::u"]
    files = [nodeid.partition("::")[0] for nodeid in sorted(given, key=rank)]
    assert files[:3] == [
        "tests/aws/test_whole_pipeline.py",
        "tests/spark/a.py",
        "tests/spark/test_kills.py",
    ]
    assert files[3:] == ["tests/unit/b.py", "tests/unit/a.py", "tests/unit/a.py"]
