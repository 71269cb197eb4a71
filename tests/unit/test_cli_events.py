"""verify and why on a real lake that the job's own layout is written to, through the CLI."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cdcctl import app
from cdcctl.ui.output import schema_of
from tests.unit import lake_builder as build

T = "2026-11-22T{:02}:00:00Z"
RAW = (
    '{"data":{"id":7,"speed_kmh":400},"metadata":{"operation":"update",'
    '"commit-timestamp":"2026-11-22T11:30:00Z"}}'
)


def row(key: int, since: int, until: int | None, **values: object) -> dict[str, object]:
    return build.version(
        T.format(since), None if until is None else T.format(until), id=key, **values
    )


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("events") / "lake"
    good = [
        row(7, 10, 11, speed_kmh=50, owner="Ann"),
        row(7, 11, 13, speed_kmh=60, owner="Ann"),
        row(7, 14, None, speed_kmh=70, owner="Ann"),
        row(8, 10, 12),
    ]
    build.write_history(folder, "vehicles", build.VEHICLES, good)
    place = {"_partition": 0}
    build.write_changes(
        folder,
        "vehicles",
        {"id": "int"},
        build.VEHICLES,
        [
            build.entry(10, "insert", T.format(10), id=7, speed_kmh=50, owner="Ann", **place),
            build.entry(11, "update", T.format(11), id=7, speed_kmh=60, owner="Ann", **place),
            build.entry(12, "update", T.format(11), "duplicate", id=7, speed_kmh=60, **place),
            build.entry(13, "delete", T.format(13), id=7, **place),
            build.entry(14, "insert", T.format(14), id=7, speed_kmh=70, owner="Ann", **place),
            build.entry(15, "insert", T.format(10), id=8, **place),
            build.entry(16, "delete", T.format(12), id=8, **place),
        ],
    )
    fast = build.failure("veh_001", "range", "speed_kmh", {"min": 0, "max": 350}, "400")
    bad = build.failure("BAD_JSON", "ENVELOPE", None, {}, "{")
    build.write_quarantine(
        folder,
        [
            build.refused(20, T.format(15), [fast], RAW, id=7, speed_kmh=400, owner="Ann"),
            build.refused(21, T.format(15), [bad], "{"),
            build.refused(22, T.format(15), [fast], RAW, id=9)
            | {
                "_status": "discarded",
                "_status_by": "op",
                "_status_at": T.format(16),
                "_status_reason": "test data",
                "_attempts": 2,
            },
        ],
    )
    (folder.parent / "tables.yaml").write_text(build.CONFIG)
    return folder


@pytest.fixture
def cdcctl(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TZ", "UTC")

    def call(lake: Path, line: str, *, code: int = 0) -> str:
        config = str(lake.parent / "tables.yaml")
        found = app.run([*line.split(), "--lake", str(lake), "-c", config])
        captured = capsys.readouterr()
        assert found == code, captured.err
        if " -o " not in line and " --to " not in line:
            assert all(len(each) <= 80 for each in captured.out.splitlines())
        return captured.out or captured.err

    return call


def data_of(text: str) -> Any:
    document = json.loads(text)
    jsonschema.validate(document, schema_of(document["schema"].removeprefix("cdcctl/")))
    return document["data"]


def test_a_history_that_is_right(lake: Path, cdcctl: Any) -> None:
    heading, line, *legend = cdcctl(lake, "history verify").splitlines()
    assert heading.split() == ["TABLE", "VERSIONS", "I1", "I2", "I3", "I4"]
    assert line.split() == ["vehicles", "4", "✔", "✔", "✔", "✔"]
    assert " ".join(legend).startswith("✔ holds: I1 at most one current row a key; I2 ")


@pytest.mark.parametrize(
    ("rows", "checks"),
    [
        ([row(1, 10, None), row(1, 11, None)], {"I1", "I2"}),
        ([row(1, 10, 12), row(1, 11, None)], {"I2"}),
        ([row(1, 10, 10), row(1, 10, None)], {"I3"}),
        ([row(1, 10, None) | {"_is_current": False}], {"I3"}),
        ([row(1, 10, 12) | {"_is_current": True}, row(1, 12, None)], {"I1", "I3"}),
        ([row(1, 10, 12), row(1, 13, None)], {"I4"}),
        ([row(1, 10, 12)], {"I4"}),
        ([row(8, 10, 12), row(8, 13, None)], set()),
    ],
)
def test_each_break_is_found(
    lake: Path, tmp_path: Path, cdcctl: Any, rows: list[Any], checks: set[str]
) -> None:
    folder = tmp_path / "lake"
    build.write_history(folder, "vehicles", build.VEHICLES, [*rows, row(2, 10, None)])
    ends = [build.entry(1, "delete", T.format(12), id=8)]
    build.write_changes(folder, "vehicles", {"id": "int"}, build.VEHICLES, ends)
    (tmp_path / "tables.yaml").write_text(build.CONFIG)
    code = 7 if checks else 0
    data = data_of(cdcctl(folder, "history verify vehicles -o json", code=code))
    found = {result["check"]: result for result in data["checks"] if result["broken"]}
    assert found.keys() == checks
    assert all(result["keys"] == [{"id": 1}] for result in found.values())
    text = cdcctl(folder, "history verify", code=code)
    assert ("cdcctl why vehicles id=1" in text) == bool(checks)


def test_every_event_of_a_row_is_told(lake: Path, cdcctl: Any) -> None:
    lines = cdcctl(lake, "why vehicles 7").splitlines()
    assert lines[0] == "vehicles id=7: current"
    assert lines[1].startswith("since 2026-11-22 14:00:00: speed_kmh=70")
    assert "Ann" not in "".join(lines)
    assert [" ".join(line.split()) for line in lines[3:9]] == [
        "2026-11-22 10:00:00 insert applied 0:10 3 0",
        "2026-11-22 11:00:00 update applied 0:11 3 0",
        "2026-11-22 11:00:00 update duplicate 0:12 3",
        "2026-11-22 11:30:00 insert open: veh_001 0:20 3",
        "2026-11-22 13:00:00 delete applied 0:13 3 0",
        "2026-11-22 14:00:00 insert applied 0:14 3 0",
    ]
    mend = " ".join(" ".join(lines[-3:]).split())
    assert f"mend: cdcctl quarantine replay vehicles --id 0:20 --dry-run --lake {lake}" in mend


@pytest.mark.parametrize(
    ("line", "answer", "since"),
    [
        ("why vehicles 7 --at 2026-11-22T09:00:00Z", "not there yet", None),
        ("why vehicles 7 --at 2026-11-22T11:00:00Z", "there", T.format(11)),
        ("why vehicles 7 --at 2026-11-22T13:00:00Z", "deleted", None),
        ("why vehicles id=7", "current", T.format(14)),
        ("why vehicles 8", "deleted", None),
        ("why vehicles 9", "not there: no event of it was applied", None),
    ],
)
def test_what_the_lake_shows(
    lake: Path, cdcctl: Any, line: str, answer: str, since: str | None
) -> None:
    data = data_of(cdcctl(lake, f"{line} -o json"))
    assert data["answer"] == answer
    assert (data["shows"] or {}).get("_effective_from") == since


def test_a_row_of_which_nothing_came(lake: Path, cdcctl: Any) -> None:
    error = cdcctl(lake, "why vehicles 77", code=5)
    assert "1 refused messages could not be read far enough to tell their key" in error
    assert "cdcctl quarantine show vehicles --rule BAD_JSON" in error
    assert "USE005" in cdcctl(lake, "why vehicles seven", code=2)
    assert "--at" in cdcctl(lake, "why vehicles 7 --at noon", code=2)


def test_statuses_are_told_apart(lake: Path, cdcctl: Any) -> None:
    def offsets(options: str) -> list[int]:
        data = data_of(cdcctl(lake, f"quarantine show vehicles {options} -o json"))
        return sorted(each["offset"] for each in data["rows"])

    assert (offsets(""), offsets("--status discarded")) == ([20, 21], [22])
    assert (offsets("--status released"), offsets("--status all")) == ([], [20, 21, 22])
    stats = data_of(cdcctl(lake, "quarantine stats --status discarded -o json"))
    assert stats["rows"] == {"vehicles": 1}
    told = cdcctl(lake, "quarantine inspect vehicles 0:22")
    assert "discarded (op, 2026-11-22T16:00:00Z: test data)" in told


def test_refused_rows_are_exported(lake: Path, tmp_path: Path, cdcctl: Any) -> None:
    rows = list(
        csv.DictReader(io.StringIO(cdcctl(lake, "quarantine export vehicles --to - -f csv")))
    )
    assert [(row["id"], row["_offset"], row["owner"]) for row in rows] == [
        ("7", "20", "****"),
        ("", "21", ""),
    ]
    assert json.loads(rows[0]["_raw_value"])["data"] == {"id": 7, "speed_kmh": 400}
    target = tmp_path / "out.jsonl"
    cdcctl(lake, f"quarantine export vehicles --to {target} --status all --reveal")
    held = [json.loads(line) for line in target.read_text().splitlines()]
    assert [each["owner"] for each in held] == ["Ann", None, None]
    assert held[2]["_status"] == "discarded"
    assert held[0]["_failed_rules"][0]["id"] == "veh_001"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["out.jsonl"]


@pytest.mark.parametrize("options", ["", "--status released"])
def test_parquet_keeps_types(lake: Path, tmp_path: Path, cdcctl: Any, options: str) -> None:
    from arro3.io import read_parquet

    target = tmp_path / "out.parquet"
    cdcctl(lake, f"quarantine export vehicles --to {target} {options}")
    rows = read_parquet(target).read_all().to_struct_array().to_pylist()
    if options:
        assert rows == []
    else:
        assert [(row["id"], row["speed_kmh"], row["owner"]) for row in rows] == [
            (7, 400.0, "****"),
            (None, None, None),
        ]
        assert rows[0]["_quarantined_at"].hour == 15


def test_a_file_that_cannot_be_written(lake: Path, tmp_path: Path, cdcctl: Any) -> None:
    error = cdcctl(lake, f"quarantine export vehicles --to {tmp_path}/no/out.csv", code=1)
    assert "QUA003" in error
    assert "QUA002" in cdcctl(lake, "quarantine export legs --to - -f csv", code=5)
