"""quarantine, metrics and history on a real Delta lake, through the command line."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cdcctl import app
from cdcctl.errors import ExitCode
from cdcctl.ui import console
from cdcctl.ui.output import schema_of
from tests.terminal import on_a_terminal
from tests.unit import lake_builder as build

RAW = (
    '{"data":{"id":7,"speed_kmh":400.10,"owner":"Ann","PHONE":"555-0101","extra":"x"},'
    '"before-image":{},'
    '"metadata":{"operation":"insert","partition-key-value":"public.vehicles.7"}}'
)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "lake"
    too_fast = build.failure("veh_001", "range", "speed_kmh", {"min": 0, "max": 350}, "400.1")
    bad_price = build.failure("BAD_TYPE", "BAD_TYPE", "price", {"type": "decimal(10,2)"}, None)
    no_json = build.failure("BAD_JSON", "ENVELOPE", None, {}, "{oops Ann")
    truncate = build.failure("UNKNOWN_OPERATION", "ENVELOPE", None, {}, "truncate")
    build.write_quarantine(
        folder,
        [
            build.refused(
                10,
                "2026-11-22T10:00:00Z",
                [too_fast, bad_price],
                RAW.replace('"extra":"x"', '"price":"7x"'),
                id=7,
                speed_kmh=400.1,
                owner="Ann",
                phone="555-0101",
            ),
            build.refused(11, "2026-11-22T13:00:00Z", [no_json], "{oops Ann"),
            build.refused(12, "2026-11-22T12:00:00Z", [truncate], RAW, id=8),
        ],
    )
    row = {"id": 7, "phone": "555-****", "price": "1.10"}
    build.write_history(
        folder,
        "vehicles",
        build.VEHICLES,
        [
            build.version("2026-11-22T10:00:00Z", "2026-11-22T10:00:00.5Z", **row, owner="Ann"),
            build.version("2026-11-22T10:00:00.5Z", "2026-11-22T11:00:00Z", **row, owner="Bob"),
            build.version("2026-11-22T12:00:00Z", None, **row, owner="Bob", speed_kmh=2),
            build.version("2026-11-22T12:00:00Z", None, id=70),
        ],
    )
    build.write_history(
        folder,
        "legs",
        build.LEGS,
        [build.version("2026-11-22T10:00:00Z", None, trip="a", leg=1, status="open")],
    )
    build.write_metrics(
        folder,
        [
            *(
                build.measurement(
                    batch,
                    "completeness",
                    share,
                    column_name="owner",
                    threshold=0.9,
                    passed=share >= 0.9,
                )
                for batch, share in enumerate((0.8, 0.95, 0.85))
            ),
            build.measurement(2, "size", 120.0),
        ],
    )
    (folder.parent / "tables.yaml").write_text(build.CONFIG)
    return folder


@pytest.fixture
def cdcctl(lake: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TZ", "UTC")

    def call(line: str, *, code: int = 0, config: str = "tables.yaml", where: str = "") -> str:
        arguments = [*shlex.split(line), *(where or f"--lake {lake}").split()]
        found = app.run([*arguments, "-c", str(lake.parent / config)])
        captured = capsys.readouterr()
        assert found == code, captured.err
        return captured.out if code == 0 else captured.err

    return call


def json_of(text: str) -> Any:
    document = json.loads(text)
    jsonschema.validate(document, schema_of(document["schema"].removeprefix("cdcctl/")))
    return document["data"]


def test_the_newest_rows_are_shown_with_what_failed_first(cdcctl: Any, lake: Path) -> None:
    lines = [line.rstrip() for line in cdcctl("quarantine show vehicles").splitlines()]
    assert lines[0] == "vehicles: 3 of 3 quarantined rows, newest first"
    assert lines[1].split() == ["FAILED", "RULE", "KEY", "ID", "WHEN"]
    assert lines[2].split()[:2] == ["****", "BAD_JSON"]
    assert lines[3].split()[:2] == ["truncate", "UNKNOWN_OPERATION"]
    assert lines[4].startswith("speed_kmh = 400.1  veh_001 +1         id=7  0:10  ")
    more = f"more: cdcctl quarantine inspect vehicles 0:11 --lake {lake}"
    assert " ".join(lines[5:]) == more
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize(
    ("options", "offsets"),
    [
        ("", [11, 12, 10]),
        ("--limit 1", [11]),
        ("--rule veh_001", [10]),
        ("--rule BAD_TYPE", [10]),
        ("--rule nothing", []),
        ("--since 2026-11-22T12:00:00Z", [11, 12]),
        ("--batch 3", [11, 12, 10]),
        ("--batch 4", []),
        ("--rule UNKNOWN_OPERATION --batch 3 --since 2026-11-01", [12]),
    ],
)
def test_rows_are_chosen(cdcctl: Any, options: str, offsets: list[int]) -> None:
    data = json_of(cdcctl(f"quarantine show vehicles {options} -o json"))
    assert [row["offset"] for row in data["rows"]] == offsets


def test_the_count_is_of_all_that_match(cdcctl: Any) -> None:
    assert json_of(cdcctl("quarantine show vehicles --limit 1 -o json"))["matching"] == 3


def test_personal_data_is_masked_unless_revealed(cdcctl: Any) -> None:
    for line in (
        "quarantine show vehicles",
        "quarantine show vehicles --all-columns",
        "quarantine show vehicles -o json",
        "quarantine show vehicles -o jsonl",
        "quarantine show vehicles -o csv",
        "quarantine inspect vehicles 0:10",
        "quarantine inspect vehicles 0:10 -o json",
        "quarantine inspect vehicles 0:11 -o json",
        "quarantine inspect vehicles 0:12 -o csv",
        "history show vehicles 7 -o json",
    ):
        text = cdcctl(line)
        assert "Ann" not in text, line
        assert "555-0101" not in text, line
    assert "Ann" in cdcctl("quarantine show vehicles --all-columns --reveal")
    assert "Ann" in cdcctl("quarantine inspect vehicles 0:11 --reveal")
    assert "555-0101" in cdcctl("quarantine inspect vehicles 0:10 --reveal -o json")
    assert "Bob" in cdcctl("history show vehicles 7 --reveal")


def test_a_message_keeps_its_digits_and_loses_what_is_not_known(cdcctl: Any) -> None:
    data = json_of(cdcctl("quarantine inspect vehicles 0:12 -o json"))
    assert data["rows"][0]["raw"] == (
        '{"data": {"id": 7, "speed_kmh": 400.10, "owner": "****", "PHONE": "****",'
        ' "extra": "****"}, "before-image": {},'
        ' "metadata": {"operation": "insert", "partition-key-value": "****"}}'
    )
    revealed = json_of(cdcctl("quarantine inspect vehicles 0:12 --reveal -o json"))
    assert revealed["rows"][0]["raw"] == RAW


def test_inspect_shows_expected_and_actual_of_every_failed_rule(cdcctl: Any) -> None:
    text = cdcctl("quarantine inspect vehicles cdc-vehicles:0:10")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "vehicles cdc-vehicles:0:10"
    assert "veh_001 speed_kmh 0 to 350 400.1" in lines
    assert "BAD_TYPE price decimal(10,2) 7x" in lines
    assert "partition, offset 0, 10" in lines
    assert "batch 3" in lines
    assert "config 9f31c2" in lines


def test_stats_count_a_row_under_each_rule_it_fails(cdcctl: Any) -> None:
    data = json_of(cdcctl("quarantine stats -o json"))
    assert data["rows"] == {"vehicles": 3}
    assert {count["rule"]: count["rows"] for count in data["counts"]} == {
        "veh_001": 1,
        "BAD_TYPE": 1,
        "BAD_JSON": 1,
        "UNKNOWN_OPERATION": 1,
    }
    assert data["counts"][0]["hours"] == [{"hour": "2026-11-22T13:00:00Z", "rows": 1}]
    narrowed = json_of(cdcctl("quarantine stats vehicles --since 2026-11-22T12:30:00Z -o json"))
    assert [count["rule"] for count in narrowed["counts"]] == ["BAD_JSON"]


def test_csv_has_a_header_and_a_line_for_each_hour(cdcctl: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(cdcctl("quarantine stats vehicles -o csv"))))
    assert len(rows) == 4
    assert rows[0] == {
        "table": "vehicles",
        "rule": "BAD_JSON",
        "hour": "2026-11-22T13:00:00Z",
        "rows": "1",
    }
    assert cdcctl("quarantine stats legs -o csv") == "table,rule,hour,rows\n"


def test_csv_puts_the_failing_column_first_and_keeps_data_columns_apart(cdcctl: Any) -> None:
    text = cdcctl("quarantine show vehicles --rule veh_001 -o csv")
    (row,) = csv.DictReader(io.StringIO(text))
    assert list(row)[:3] == ["_failed_rule", "_column", "_actual"]
    assert (row["_column"], row["_actual"], row["id"], row["owner"]) == (
        "speed_kmh",
        "400.1",
        "7",
        "****",
    )


def test_a_table_without_refused_rows_is_no_error(cdcctl: Any) -> None:
    assert cdcctl("quarantine show legs") == "legs: no quarantined row matches\n"
    assert cdcctl("quarantine stats legs") == "nothing is in quarantine\n"


def test_metrics_show_the_latest_value_and_its_course(cdcctl: Any) -> None:
    data = json_of(cdcctl("metrics show -o json"))
    completeness, size = data["checks"]
    assert (completeness["value"], completeness["passed"]) == (0.85, False)
    assert completeness["trend"] == [0.8, 0.95, 0.85]
    assert (size["metric"], size["threshold"]) == ("size", None)
    failed = json_of(cdcctl("metrics show --failed --table vehicles -o json"))
    assert [check["metric"] for check in failed["checks"]] == ["completeness"]
    assert json_of(cdcctl("metrics show --table legs -o json"))["checks"] == []


def test_metrics_screen(cdcctl: Any) -> None:
    lines = [" ".join(line.split()) for line in cdcctl("metrics show").splitlines()]
    assert lines[1].startswith("✖ vehicles completeness owner 0.8500 ≥ 0.9000 ▁█▃")
    assert lines[-1] == "checks: 2, breached: 1"


def test_a_metric_is_drawn_with_its_threshold(cdcctl: Any) -> None:
    screen = cdcctl("metrics plot completeness vehicles.owner")
    assert "completeness vehicles.owner" in screen
    assert "threshold" in screen
    assert screen.splitlines()[-1] == "batches: 3, breached: 2; now 0.85, threshold 0.9"
    assert "\x1b" not in screen
    assert max(map(len, screen.splitlines())) <= 80


def test_a_metric_is_drawn_into_a_file(cdcctl: Any, tmp_path: Path) -> None:
    picture = tmp_path / "owner.png"
    assert cdcctl(f"metrics plot completeness vehicles.owner --png {picture}") == ""
    assert picture.read_bytes().startswith(b"\x89PNG")
    nowhere = tmp_path / "none" / "owner.png"
    error = cdcctl(
        f"metrics plot completeness vehicles.owner --png {nowhere}", code=ExitCode.FAILED
    )
    assert "USE034" in error


def test_the_points_of_a_metric_are_given_to_machines(cdcctl: Any) -> None:
    data = json_of(cdcctl("metrics plot completeness vehicles.owner -o json"))
    assert [each["value"] for each in data["measurements"]] == [0.8, 0.95, 0.85]


def test_a_metric_that_nobody_measures_names_those_that_are_measured(cdcctl: Any) -> None:
    error = cdcctl("metrics plot completeness vehicles.wheels", code=ExitCode.NOT_FOUND)
    assert "LAK033" in error
    assert "completeness vehicles.owner" in error


def test_metrics_tail_is_oldest_first(cdcctl: Any) -> None:
    data = json_of(cdcctl("metrics tail --limit 3 -o json"))
    assert [(m["batch_id"], m["metric"]) for m in data["measurements"]] == [
        (1, "completeness"),
        (2, "completeness"),
        (2, "size"),
    ]
    lines = cdcctl("metrics tail --failed").splitlines()
    assert [line[21:] for line in lines] == [
        "✖ vehicles #0  completeness owner 0.8000  (limit ≥ 0.9000)",
        "✖ vehicles #2  completeness owner 0.8500  (limit ≥ 0.9000)",
    ]


def test_metrics_tail_follows_until_the_timeout(cdcctl: Any) -> None:
    lines = cdcctl("metrics tail -f --timeout 0 --limit 1 -o jsonl").splitlines()
    assert [json.loads(line)["metric"] for line in lines] == ["size"]
    error = cdcctl("metrics tail -f --timeout 0 -o csv", code=ExitCode.USAGE)
    assert error.splitlines()[0] == (
        "error[USE001]: Invalid value for --output: a stream has no end to close it with; use jsonl"
    )


def test_history_is_a_timeline_with_gaps(cdcctl: Any) -> None:
    lines = [" ".join(line.split()) for line in cdcctl("history show vehicles 7").splitlines()]
    assert lines[0] == "vehicles id=7: 3 versions, current"
    assert "2026-11-22 10:00:00.5 owner: **** → ****" in lines
    assert "2026-11-22 11:00:00 deleted" in lines


def test_history_for_machines(cdcctl: Any) -> None:
    data = json_of(cdcctl("history show vehicles 7 -o json"))
    first, second, third = data["versions"]
    assert first["values"] == {
        "id": 7,
        "speed_kmh": None,
        "price": "1.10",
        "owner": "****",
        "phone": "555-****",
    }
    assert second["effective_from"] == first["effective_to"] == "2026-11-22T10:00:00.500000Z"
    assert second["changed"] == ["owner"]
    assert third["is_current"] is True
    (row,) = csv.DictReader(io.StringIO(cdcctl("history show vehicles 70 -o csv")))
    assert (row["_is_current"], row["_effective_to"], row["id"]) == ("true", "", "70")


@pytest.mark.parametrize("key", ["a,1", "trip=a,leg=1", "leg=1,trip=a"])
def test_a_composite_key(cdcctl: Any, key: str) -> None:
    assert json_of(cdcctl(f"history show legs {key} -o json"))["key"] == {"trip": "a", "leg": 1}


@pytest.mark.parametrize(
    ("line", "code", "text"),
    [
        (
            "history show vehicles 8",
            ExitCode.NOT_FOUND,
            "error[LAK007]: `8` has no history in vehicles\n"
            "  why:  no accepted event has this key\n"
            "  fix:  cdcctl quarantine show vehicles   shows what was refused\n",
        ),
        (
            "history show vehicles seven",
            ExitCode.USAGE,
            "error[USE005]: `seven` is not a key of vehicles\n"
            "  why:  `seven` is not a value of id, which is integer\n"
            "  fix:  cdcctl history show vehicles COLUMN=VALUE\n",
        ),
        (
            "history show legs a",
            ExitCode.USAGE,
            "error[USE005]: `a` is not a key of legs\n"
            "  why:  the key of legs has 2 columns: trip=...,leg=...\n"
            "  fix:  cdcctl history show legs COLUMN=VALUE\n",
        ),
        (
            "quarantine inspect vehicles 0:99",
            ExitCode.NOT_FOUND,
            "error[QUA001]: no quarantined row 0:99 in vehicles\n"
            "  fix:  cdcctl quarantine show vehicles\n",
        ),
        (
            "quarantine inspect vehicles 99",
            ExitCode.USAGE,
            "error[USE004]: `99` is not the id of a quarantined row\n"
            "  why:  an id is PARTITION:OFFSET or TOPIC:PARTITION:OFFSET, such as 0:1234\n"
            "  fix:  cdcctl quarantine show vehicles\n",
        ),
        (
            "quarantine show vehicles --since yesterday",
            ExitCode.USAGE,
            "error[USE001]: Invalid value for --since: `yesterday` is not a time; write 15m, 2h,"
            " 3d or 2026-11-22T10:00:00Z\n"
            "  fix:  cdcctl quarantine show --help\n",
        ),
    ],
)
def test_what_is_not_there_is_said(cdcctl: Any, line: str, code: int, text: str) -> None:
    assert cdcctl(line, code=code) == text


def test_an_unknown_table_names_the_nearest(cdcctl: Any, lake: Path) -> None:
    assert cdcctl("quarantine show vehicle", code=ExitCode.NOT_FOUND) == (
        f"error[LAK003]: table `vehicle` is not in the lake {lake}\n"
        "  why:  it holds: legs, vehicles\n"
        "  fix:  did you mean `vehicles`?\n"
    )


def test_without_a_config_every_value_is_masked_and_that_is_said(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = lake.parent / "none.yaml"
    call = ["quarantine", "show", "vehicles", "--lake", str(lake), "-c", str(missing), "-o", "json"]
    assert app.run(call) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["warnings"] == [
        f"no config at {missing}: all values are masked, --reveal shows them"
    ]
    row = document["data"]["rows"][-1]
    assert row["values"]["id"] == "****"
    assert row["failed_rules"][0]["actual"] == "****"
    assert app.run(["history", "show", "vehicles", "id=7", *call[3:7]]) == 0
    assert app.run(["history", "show", "vehicles", "7", *call[3:7]]) == ExitCode.USAGE


def test_a_wrong_config_is_exit_3(cdcctl: Any, lake: Path) -> None:
    (lake.parent / "wrong.yaml").write_text(build.CONFIG.replace("speed_kmh,", "speeed,", 1))
    error = cdcctl("quarantine stats", code=ExitCode.CONFIG, config="wrong.yaml")
    assert error.startswith("error[CFG")
    assert f"fix:  cdcctl validate-config {lake.parent / 'wrong.yaml'}" in error


def test_which_lake_must_be_said(cdcctl: Any) -> None:
    assert cdcctl("metrics show", code=ExitCode.USAGE, where="-q") == (
        "error[USE003]: which lake?\n"
        "  fix:  add --stack NAME for a deployed one, --local for that of the local stack,"
        " or --lake DIR\n"
    )
    both = cdcctl("metrics show --local", code=ExitCode.USAGE)
    assert both.startswith("error[USE003]: --local and --lake exclude each other\n")


def test_a_lake_that_is_none(cdcctl: Any, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    made_by = "cdcctl local run --config FILE --messages DIR --lake"
    assert cdcctl("metrics show", code=ExitCode.NOT_FOUND, where=f"--lake {nowhere}") == (
        f"error[LAK001]: there is no lake at {nowhere}\n"
        "  why:  the folder does not exist\n"
        f"  fix:  {made_by} {nowhere}\n"
    )
    assert cdcctl("metrics show", code=ExitCode.NOT_FOUND, where=f"--lake {tmp_path}") == (
        f"error[LAK002]: {tmp_path} is not a lake\n"
        "  why:  it has neither a folder `delta` nor a folder `quarantine`\n"
        f"  fix:  {made_by} {tmp_path}\n"
    )
    local = cdcctl("metrics show", code=ExitCode.NOT_FOUND, where=f"--local --dir {tmp_path}")
    assert local.endswith("  fix:  cdcctl local up\n")


def test_a_lake_without_commits_yet_is_empty(cdcctl: Any, tmp_path: Path) -> None:
    (tmp_path / "delta" / "vehicles" / "_delta_log").mkdir(parents=True)
    where = f"--lake {tmp_path}"
    assert cdcctl("metrics show", where=where) == "no metric matches\n"
    assert cdcctl("quarantine stats", where=where) == "nothing is in quarantine\n"
    assert cdcctl("history show vehicles 7", where=where, code=ExitCode.NOT_FOUND) == (
        "error[LAK007]: `7` has no history in vehicles\n"
        "  why:  no row of it was ever accepted\n"
        "  fix:  cdcctl quarantine show vehicles   shows what was refused\n"
    )


def test_a_damaged_table_is_named(cdcctl: Any, tmp_path: Path) -> None:
    build.write_metrics(tmp_path, [build.measurement(1, "size", 1.0)])
    metrics = tmp_path / "delta" / "dq_metrics"
    where = f"--lake {tmp_path}"
    (data,) = metrics.glob("*.parquet")
    data.rename(data.with_suffix(".gone"))
    gone = cdcctl("metrics show", code=ExitCode.FAILED, where=where)
    assert gone.startswith(f"error[LAK005]: dq_metrics ({metrics}) is damaged\n")
    assert data.name in gone

    (metrics / "_delta_log" / "00000000000000000000.json").write_text("{garbage")
    error = cdcctl("metrics show", code=ExitCode.FAILED, where=where).splitlines()
    assert error[0] == f"error[LAK005]: dq_metrics ({metrics}) is damaged"
    assert "unexpected 'g'" in error[1]
    assert error[2] == "  fix:  restore the missing or damaged file"


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize(
    "line",
    [
        "quarantine show vehicles",
        "quarantine show vehicles --all-columns --reveal",
        "quarantine inspect vehicles 0:10",
        "quarantine stats",
        "metrics show",
        "metrics plot completeness vehicles.owner",
        "history show vehicles 7",
        "query",
        "query 'SELECT * FROM vehicles'",
        "query 'SELECT * FROM vehicles_quarantine'",
    ],
)
def test_no_screen_is_wider_than_the_terminal(
    cdcctl: Any, line: str, color: bool, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(console, "has_color", lambda _: color)
    if color:
        monkeypatch.setenv("FORCE_COLOR", "1")
    shown = cdcctl(line)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert (plain != shown) == color
    assert max(len(each.rstrip()) for each in plain.splitlines()) <= width


def test_a_terminal_shows_colour_unless_no_color_is_set(lake: Path) -> None:
    """The screen is read as a terminal gives it: nothing that styles it may be left."""
    line = ["metrics", "show", "--lake", str(lake), "-c", str(lake.parent / "tables.yaml")]

    def on_terminal(**environment: str) -> str:
        code, shown = on_a_terminal(*line, TERM="xterm-256color", **environment)
        assert code == 0, shown
        return shown

    plain = on_terminal(NO_COLOR="1")
    assert "\x1b" not in plain
    coloured = on_terminal()
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured).split() == plain.split()


def test_a_row_that_is_too_wide_for_a_table_is_shown_value_by_value(
    cdcctl: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = "query 'SELECT * FROM vehicles ORDER BY id'"
    lines = [line.rstrip() for line in cdcctl(sql).splitlines()]
    assert lines[0] == "row 1"
    assert lines[1].split() == ["id", "7"]
    monkeypatch.setenv("COLUMNS", "200")
    assert cdcctl(sql).splitlines()[0].split()[:3] == ["ID", "SPEED_KMH", "PRICE"]
