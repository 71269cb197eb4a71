"""Hostile names, paths, queries and values do no more than be refused or shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cdcctl import app, logs
from cdcctl.errors import ExitCode
from glue_job.contract.loader import load
from tests.unit import lake_builder as build

CANARY = "s3cr3t-canary"
OUTSIDE = "0uts1de-canary"
ESCAPES = "Ann\x1b[2J\x1b]0;title\x07\x9b31m\u202e"


def make_lake(folder: Path, owner: str) -> Path:
    refused = build.failure("veh_001", "range", "speed_kmh", {"min": 0}, "-1")
    rows = [
        build.refused(10, "2026-11-22T10:00:00Z", [refused], "{}", id=7, owner=owner),
        build.refused(11, "2026-11-22T10:00:00Z", [refused], "{bad " + owner),
    ]
    build.write_quarantine(folder, rows)
    current = build.version("2026-11-22T10:00:00Z", None, id=7, owner=owner)
    build.write_history(folder, "vehicles", build.VEHICLES, [current])
    build.write_metrics(folder, [build.measurement(2, "size", 1.0)])
    return folder


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("lakes")
    make_lake(root / "outside", OUTSIDE)
    (root / "tables.yaml").write_text(build.CONFIG)
    return make_lake(root / "lake", ESCAPES)


def at(lake: Path, *words: str) -> list[str]:
    return [*words, "--lake", str(lake), "-c", str(lake.parent / "tables.yaml")]


@pytest.mark.parametrize(
    "table",
    [
        "../../outside/delta/vehicles",
        "../../outside/quarantine/vehicles",
        "vehicles/../vehicles",
        "vehicles'--",
        'vehicles"; DROP TABLE vehicles',
        "vehicles\x1b[2J",
        "",
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ("quarantine", "show", "@"),
        ("quarantine", "inspect", "@", "0:10"),
        ("quarantine", "stats", "@"),
        ("quarantine", "export", "@", "--to", "-"),
        ("quarantine", "replay", "@", "--dry-run"),
        ("quarantine", "discard", "@", "--reason", "x", "--yes"),
        ("history", "show", "@", "7"),
        ("history", "verify", "@"),
        ("history", "rebuild", "@", "--dry-run"),
        ("why", "@", "7"),
        ("metrics", "show", "--table", "@"),
    ],
    ids=" ".join,
)
def test_a_table_is_one_that_the_lake_holds_never_a_path_or_sql(
    command: tuple[str, ...], table: str, lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [table if word == "@" else word for word in command]
    assert app.run(at(lake, *words)) in {ExitCode.NOT_FOUND, ExitCode.USAGE}
    shown = capsys.readouterr()
    assert shown.out == ""
    assert OUTSIDE not in shown.err
    assert "\x1b" not in shown.err


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM '{file}'",
        'SELECT * FROM "{file}"',
        'SELECT * FROM "../../outside/delta/vehicles"',
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '{file}'",
        "COPY (SELECT 1) TO '{file}'",
        "SELECT 1; DROP TABLE vehicles",
        "DELETE FROM vehicles",
        "WITH gone AS (DELETE FROM vehicles RETURNING *) SELECT * FROM gone",
        "SET datafusion.catalog.location = '/'",
    ],
)
def test_a_query_reads_tables_of_the_lake_and_nothing_else(
    sql: str, lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file.csv"
    file.write_text(f"name\n{OUTSIDE}\n")
    assert app.run(at(lake, "query", sql.format(file=file), "--reveal")) != ExitCode.DONE
    shown = capsys.readouterr()
    assert OUTSIDE not in shown.out + shown.err
    assert file.read_text() == f"name\n{OUTSIDE}\n"


@pytest.mark.parametrize("key", ["7' OR '1'='1", "7 OR 1=1", "id=7 OR true", "7;--"])
@pytest.mark.parametrize("command", [("why",), ("history", "show")], ids=" ".join)
def test_a_key_is_a_value_never_a_condition(
    command: tuple[str, ...], key: str, lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(at(lake, *command, "vehicles", key)) == ExitCode.USAGE
    assert "is not a value of id, which is integer" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("quarantine", "show", "vehicles", "--all-columns"),
        ("quarantine", "inspect", "vehicles", "0:10"),
        ("quarantine", "inspect", "vehicles", "0:11"),
        ("history", "show", "vehicles", "7"),
        ("query", "SELECT owner FROM vehicles"),
    ],
    ids=" ".join,
)
def test_a_value_is_shown_to_the_terminal_never_obeyed_by_it(
    words: tuple[str, ...], lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(at(lake, *words, "--reveal")) == ExitCode.DONE
    shown = capsys.readouterr().out
    assert "Ann\N{REPLACEMENT CHARACTER}[2J" in shown
    assert not set("\x1b\x07\x9b\u202e") & set(shown)


@pytest.mark.parametrize(
    "stack",
    [
        "../demo",
        "demo/../prod",
        "demo;rm",
        "$(id)",
        "demo\n",
        "${AWS::StackName}",
        'a","b":"',
        "-demo",
        "démo",
        "a" * 39,
    ],
)
@pytest.mark.parametrize("command", ["stop", "status", "deploy", "teardown", "logs"])
def test_a_hostile_stack_name_is_refused_before_anything_is_asked(
    stack: str,
    command: str,
    lake: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    config = [] if command in {"stop", "logs", "teardown"} else at(lake)[2:]
    assert app.run([command, f"--stack={stack}", *config]) == ExitCode.USAGE
    assert "error[USE021]" in capsys.readouterr().err


@pytest.mark.parametrize(
    "column",
    [
        "{name: x, type: string, source_type: 'text); DROP TABLE users; --'}",
        "{name: x, type: string, source_type: \"text DEFAULT pg_read_file('/etc/passwd')\"}",
        "{name: 'x\" text, y', type: string}",
        "{name: ../x, type: string}",
        '{name: "x\'; DROP TABLE users; --", type: string}',
    ],
)
def test_no_sql_comes_into_the_ddl_by_a_column(column: str) -> None:
    text = build.CONFIG.replace("      - {name: trip, type: string, nullable: false}\n", "")
    text = text.replace("[trip, leg]", "leg").replace("{name: status, type: string}", column)
    loaded = load(text, "tables.yaml")
    assert loaded.pipeline is None
    assert {each.severity for each in loaded.findings} == {"error"}


@pytest.mark.parametrize("words", [("stop",), ("logs",), ("-o", "json", "logs")], ids=" ".join)
def test_what_aws_quotes_tells_no_secret_on_the_screen_nor_in_the_log(
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CDCCTL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://user:{CANARY}@127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAABCDEFGHIJKLMNOP")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    log = tmp_path / "cdcctl.log"
    try:
        code = app.run([*words, "--stack", "demo", "-vv", "--debug", "--log-file", str(log)])
    finally:
        logs.configure(0, None)
    assert code != ExitCode.DONE
    shown = capsys.readouterr()
    assert "user:****@127.0.0.1" in shown.err
    kept = [file.read_text() for file in tmp_path.rglob("*") if file.is_file()]
    assert kept
    assert not [text for text in (shown.out, shown.err, *kept) if CANARY in text or "AKIA" in text]
    assert all(json.loads(line) for line in log.read_text().splitlines())


@pytest.mark.parametrize("line", ["compile --out .", "init ."])
@pytest.mark.parametrize("linked", ["file", "folder", "dangling"])
def test_a_link_in_an_output_folder_leads_to_no_other_file(
    line: str,
    linked: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    outside, work = tmp_path / "outside", tmp_path / "work"
    outside.mkdir()
    work.mkdir()
    (tmp_path / "tables.yaml").write_text(build.CONFIG)
    victim = outside / "victim"
    if linked != "dangling":
        victim.write_text("mine")
    if line == "init ." and linked == "folder":
        (work / "config").symlink_to(outside)
    else:
        name = "cdcctl.toml" if line == "init ." else "topics.json"
        (work / name).symlink_to(victim)
    monkeypatch.chdir(work)
    code = app.run([*line.split(), *(["-c", str(tmp_path / "tables.yaml")] * ("compile" in line))])
    assert code in {ExitCode.FAILED, ExitCode.USAGE}, capsys.readouterr()
    before = [] if linked == "dangling" else [victim]
    assert list(outside.iterdir()) == before
    assert not before or victim.read_text() == "mine"
