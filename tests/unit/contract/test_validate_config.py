"""`cdcctl validate-config` and `cdcctl schema`, as an operator meets them."""

import io
import json
import textwrap
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from cdcctl.app import run
from cdcctl.operations.validate import ValidateReport
from cdcctl.ui import findings as view
from glue_job.contract.loader import load

VALID = "tables: [{name: trips, primary_key: id, schema: [{name: id, type: long}]}]\n"
FAULTY = textwrap.dedent("""\
    tables:
      - name: vehicle_telemetry
        topic: cdc-Telemetry
        primary_key: id
        schema: [{name: id, type: integer}, {name: latitude, type: double}]
        dq_rules:
          - {id: tel_001, type: range, column: lattitude, params: {min: -90, max: 90}}
    """)
ERROR = {
    "code": "CFG021",
    "severity": "error",
    "message": "column `lattitude` is not in the schema of `vehicle_telemetry`",
    "file": "tables.yaml",
    "line": 7,
    "column": 44,
    "help": "did you mean `latitude`?",
}
WARNING = {
    "code": "CFG031",
    "severity": "warning",
    "message": "DMS writes to `cdc-telemetry`: it lower-cases topic names",
    "file": "tables.yaml",
    "line": 3,
    "column": 12,
    "help": "write `cdc-telemetry`",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "CDCCTL_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "tables.yaml").write_text(FAULTY, encoding="utf-8")
    (tmp_path / "valid.yaml").write_text(VALID, encoding="utf-8")
    return tmp_path


def test_full_shows_the_line_and_the_spot(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate-config", "tables.yaml"]) == 3
    assert capsys.readouterr().out == textwrap.dedent("""\
        warning[CFG031]: DMS writes to `cdc-telemetry`: it lower-cases topic names
         --> tables.yaml:3:12
          |
        3 |     topic: cdc-Telemetry
          |            ^^^^^^^^^^^^^
          = help: write `cdc-telemetry`

        error[CFG021]: column `lattitude` is not in the schema of `vehicle_telemetry`
         --> tables.yaml:7:44
          |
        7 |       - {id: tel_001, type: range, column: lattitude, params: {min: -90, max: 90}}
          |                                            ^^^^^^^^^
          = help: did you mean `latitude`?
          = more: cdcctl rules range

        tables.yaml: 1 error, 1 warning
        """)


def test_json_is_exactly_the_findings(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate-config", "tables.yaml", "--format", "json"]) == 3
    assert json.loads(capsys.readouterr().out) == {"findings": [WARNING, ERROR]}
    assert run(["-o", "json", "validate-config", "valid.yaml"]) == 0
    assert json.loads(capsys.readouterr().out) == {"findings": []}


def test_concise_is_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    run(["validate-config", "tables.yaml", "--format", "concise", "--select", "CFG021"])
    assert capsys.readouterr().out == (
        "tables.yaml:7:44: error[CFG021]: column `lattitude` is not in the schema of "
        "`vehicle_telemetry` (did you mean `latitude`?)\n"
    )


def test_sarif_points_at_the_span(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate-config", "tables.yaml", "--format", "sarif"]) == 3
    document = json.loads(capsys.readouterr().out)
    (sarif_run,) = document["runs"]
    assert document["version"] == "2.1.0"
    rules = sarif_run["tool"]["driver"]["rules"]
    first, second = sarif_run["results"]
    assert (first["level"], second["level"]) == ("warning", "error")
    assert rules[second["ruleIndex"]]["id"] == second["ruleId"] == "CFG021"
    location = second["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "tables.yaml"
    assert location["region"] == {"startLine": 7, "startColumn": 44, "endColumn": 53}


def test_junit_has_a_case_for_each_finding_or_one_that_passes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["validate-config", "tables.yaml", "--format", "junit"]) == 3
    suite = ET.fromstring(capsys.readouterr().out)[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "2")
    failures = [case.find("failure") for case in suite]
    assert [each.get("type") for each in failures if each is not None] == ["warning", "error"]
    assert run(["validate-config", "valid.yaml", "--format", "junit"]) == 0
    suite = ET.fromstring(capsys.readouterr().out)[0]
    assert (suite.get("tests"), suite.get("failures")) == ("1", "0")


def test_on_github_the_usual_format_is_annotations_and_a_summary(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
    assert run(["validate-config", "tables.yaml"]) == 3
    first, second = capsys.readouterr().out.splitlines()
    assert first == (
        "::error file=tables.yaml,line=7,col=44,endColumn=53,title=CFG021::"
        "column `lattitude` is not in the schema of `vehicle_telemetry`%0Adid you mean `latitude`?"
    )
    assert second.startswith("::warning file=tables.yaml,line=3,")
    summary = (folder / "summary.md").read_text(encoding="utf-8")
    assert "| error CFG021 | tables.yaml:7 |" in summary


def test_github_gets_ten_annotations_and_the_rest_as_lines(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = "".join(f"unknown_{n}: 1\n" for n in range(13))
    (folder / "many.yaml").write_text(VALID + keys, encoding="utf-8")
    assert run(["validate-config", "many.yaml", "--format", "github"]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert [line.startswith("::error") for line in lines] == [True] * 10 + [False] * 3


def test_text_of_a_config_cannot_forge_an_annotation() -> None:
    text = VALID + '"x\\n::error::y,z:%": 1\n'
    loaded = load(text, "a,b.yaml")
    report = ValidateReport("a,b.yaml", text, loaded.findings, None)
    (line,), _ = view.github_lines(report)
    assert line.startswith("::error file=a%2Cb.yaml,")
    assert "\n" not in line
    assert "%0A::error::y,z:%25" in line
    assert "\n::error" not in view.full_text(report)
    assert ET.fromstring(view.junit_text(report)) is not None


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 3),
        (["--exit-zero"], 0),
        (["--ignore", "CFG021"], 0),
        (["--ignore", "CFG021", "--fail-level", "warning"], 3),
        (["--ignore", "CFG021", "--strict"], 3),
        (["--ignore", "CFG021,CFG031", "--fail-level", "warning"], 0),
        (["--select", "CFG03"], 0),
        (["--select", "CFG03", "--fail-level", "warning"], 3),
        (["--ignore", "cfg"], 0),
    ],
)
def test_options_decide_the_exit_code(options: list[str], code: int) -> None:
    assert run(["validate-config", "tables.yaml", "--format", "concise", *options]) == code


def test_strict_heeds_no_comment(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    silenced = FAULTY.replace("Telemetry\n", "Telemetry # cdcctl: ignore CFG031\n")
    (folder / "silenced.yaml").write_text(silenced.replace("lattitude", "latitude"), "utf-8")
    assert run(["validate-config", "silenced.yaml"]) == 0
    assert capsys.readouterr().out == "silenced.yaml is valid: 1 table\n"
    assert run(["validate-config", "silenced.yaml", "--strict", "--format", "concise"]) == 3
    assert "error[CFG031]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["missing.yaml"], 2, "error[CFG000]: missing.yaml cannot be read"),
        (["."], 2, "error[CFG000]: . cannot be read"),
        (["tables.yaml", "--select", "CFG999"], 2, "there is no code CFG999"),
        (["tables.yaml", "--format", "xml"], 2, "error[USE001]"),
    ],
)
def test_wrong_usage_is_one_error_on_stderr(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["validate-config", *arguments]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\0", b"", b"tables: \xff", b"a:\n\tb"])
@pytest.mark.parametrize("output", list(view.FindingsFormat))
def test_a_file_that_is_no_yaml_is_a_finding_in_every_format(
    data: bytes, output: str, folder: Path
) -> None:
    (folder / "odd.yaml").write_bytes(data)
    assert run(["validate-config", "odd.yaml", "--format", output]) == 3


def test_a_dash_reads_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(VALID.encode())))
    assert run(["validate-config", "-"]) == 0
    assert capsys.readouterr().out == "<stdin> is valid: 1 table\n"


def test_the_caret_stands_under_wide_characters_and_long_lines_are_cut() -> None:
    text = f"tables: [] # {'中' * 3}\nnone: {{a: '{'中' * 200}'}}\n"
    report = ValidateReport("t", text, load(text, "t").findings, None)
    for line in view.full_text(report).splitlines():
        assert len(line) < 200


def test_schema_is_printed_written_and_checked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["schema"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert run(["schema", "--check", "--write", "s.json"]) == 1
    assert "s.json does not exist" in capsys.readouterr().err
    assert run(["schema", "--write", "s.json"]) == 0
    assert (folder / "s.json").read_text(encoding="utf-8") == printed
    assert run(["schema", "--check", "--write", "s.json"]) == 0
    (folder / "s.json").write_text(printed.replace("draft-07", "draft-06"), encoding="utf-8")
    assert run(["schema", "--check", "--write", "s.json"]) == 1
    assert "cdcctl schema --write s.json" in capsys.readouterr().err
    assert run(["schema", "--write", "."]) == 2
