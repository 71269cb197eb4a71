"""`cdcctl init`: what it makes is valid, and what is there stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdcctl import app
from cdcctl.errors import ExitCode
from cdcctl.operations.init import draft_config
from cdcctl.operations.source_catalog import FoundColumn, FoundTable
from glue_job.contract.loader import load

FILES = ("config/tables.yaml", "config/tables.schema.json", "cdcctl.toml")
TYPES = {
    "smallint": "integer",
    "integer": "integer",
    "bigint": "long",
    "numeric(12,2)": "decimal(12,2)",
    "numeric(60,3)": "string",
    "numeric": "decimal(38,6)",
    "real": "double",
    "double precision": "double",
    "boolean": "boolean",
    "date": "date",
    "timestamp without time zone": "timestamp",
    "timestamp(3) with time zone": "timestamp",
    "time without time zone": "string",
    "text": "string",
    "character varying(20)": "string",
    "character varying": "string",
    "character(2)": "string",
    "uuid": "string",
    "jsonb": "string",
    "integer[]": "string",
    "numeric(4,1)[]": "string",
    "bytea": "string",
    '"my schema"."mood # {x}"': "string",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CDCCTL_CONFIG", raising=False)
    return tmp_path


def test_what_it_makes_passes_the_strictest_check(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["init"]) == ExitCode.DONE
    assert capsys.readouterr().out.splitlines() == list(FILES)
    assert app.run(["validate-config", "--strict", "--fail-level", "warning"]) == ExitCode.DONE
    assert app.run(["schema", "--check"]) == ExitCode.DONE
    assert app.run(["compile", "--format", "ddl"]) == ExitCode.DONE
    assert 'CREATE TABLE IF NOT EXISTS "public"."orders"' in capsys.readouterr().out


@pytest.mark.parametrize("there", FILES)
def test_nothing_is_overwritten_nor_half_made(
    there: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "new" / there
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    assert app.run(["init", "new"]) == ExitCode.USAGE
    assert capsys.readouterr().err == (
        f"error[USE044]: {there} in new would be overwritten\n"
        "  fix:  name another folder: cdcctl init DIR\n"
    )
    assert [each for each in (folder / "new").rglob("*") if each.is_file()] == [file]
    assert file.read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "file").write_text("")
    assert app.run(["init", "file/below"]) == ExitCode.USAGE
    assert "error[USE045]: file/below/config cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "code", "said"),
    [
        ("postgresql://me:hunter2@localhost/x", "DB003", "seen by every user"),
        ("host=localhost password=hunter2", "DB003", "seen by every user"),
        ("no address", "DB002", "not an address of PostgreSQL"),
        ("postgresql://me@127.0.0.1:9/x", "DB004", "the database cannot be read"),
    ],
)
def test_an_address_that_will_not_do_is_refused(
    address: str, code: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["init", "--from-db", address]) != ExitCode.DONE
    shown = capsys.readouterr().err
    assert f"error[{code}]" in shown
    assert said in shown
    assert "hunter2" not in shown
    assert not list(folder.iterdir())


def test_every_type_of_a_database_has_a_place_in_the_lake() -> None:
    columns = [FoundColumn(f"c{n}", kind, is_required=False) for n, kind in enumerate(TYPES)]
    words = [FoundColumn(word, "text", is_required=True) for word in ("no", "null", "order")]
    labels = FoundColumn("mood", "mood", is_required=False, labels=("on", "it's", 'a "b"'))
    table = FoundTable("on", (*words, *columns, labels), ("no", "null"))
    text = draft_config([table], "public")
    loaded = load(text, "tables.yaml")
    assert loaded.pipeline is not None, loaded.findings
    (made,) = loaded.pipeline.tables
    assert made.primary_key == ("no", "null")
    assert [str(made.column(f"c{n}").type) for n in range(len(TYPES))] == list(TYPES.values())

    suggested = "\n".join(
        line.replace("    # ", "    ") if line.startswith("    # ") else line
        for line in text.splitlines()
    )
    again = load(suggested, "tables.yaml")
    assert again.pipeline is not None, again.findings
    assert [(rule.type, rule.column) for rule in again.pipeline.tables[0].dq_rules] == [
        ("allowed_values", "mood"),
        ("not_null", "order"),
    ]
    assert again.pipeline.tables[0].dq_rules[0].params["values"] == ["on", "it's", 'a "b"']
