"""cdcctl.toml and the log: where defaults come from, and that no secret is told."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from cdcctl import app, logs, redaction
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.tool_config import tool_defaults


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    for name in ("CDCCTL_ENV", "CDCCTL_STACK", "CDCCTL_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def test_a_section_stands_over_the_base_and_the_base_over_the_users_own(
    folder: Path, tmp_path: Path
) -> None:
    write(tmp_path / "user" / "cdcctl" / "config.toml", 'profile = "me"\nregion = "own"\n')
    write(
        folder / "cdcctl.toml",
        'stack = "demo"\nregion = "eu-west-1"\noutput = "json"\n'
        '[env.prod]\nstack = "live"\nexpected_account = "123456789012"\n',
    )
    assert tool_defaults(folder, None) == {
        "profile": "me",
        "region": "eu-west-1",
        "stack": "demo",
        "output_format": "json",
    }
    prod = tool_defaults(folder, "prod")
    assert (prod["stack"], prod["expected_account"]) == ("live", "123456789012")
    assert prod["region"] == "eu-west-1"


def test_pyproject_is_read_where_there_is_no_file_of_its_own(folder: Path) -> None:
    write(folder.parent / "pyproject.toml", '[tool.cdcctl]\nstack = "above"\n')
    assert tool_defaults(folder, None) == {"stack": "above"}
    write(folder / "cdcctl.toml", 'stack = "here"\n')
    assert tool_defaults(folder, None) == {"stack": "here"}


@pytest.mark.parametrize(
    ("text", "environment", "code", "said"),
    [
        ("stack = ", None, "USE040", "cdcctl.toml"),
        ('stak = "x"', None, "USE041", "did you mean `stack`?"),
        ("stack = true", None, "USE041", "not a text"),
        ('[env.prod]\nstack = "x"', "prd", "USE042", "did you mean `prod`?"),
        ("", "prod", "USE042", "[env.prod]"),
        ('[env.prod]\nstak = "x"', "prod", "USE041", "[env.prod]"),
    ],
)
def test_what_is_wrong_in_the_file_is_a_usage_error(
    text: str, environment: str | None, code: str, said: str, folder: Path
) -> None:
    write(folder / "cdcctl.toml", text)
    with pytest.raises(CdcctlError) as caught:
        tool_defaults(folder, environment)
    error = caught.value
    assert (error.code, error.exit_code) == (code, ExitCode.USAGE)
    assert said in f"{error.what} {error.why} {error.fix}"


def test_flag_over_variable_over_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder / "cdcctl.toml", '[env.a]\nstack = "From_file"\n[env.b]\nstack = "B_file"\n')

    def refused(*words: str) -> str:
        assert app.run([*words]) == ExitCode.USAGE
        return capsys.readouterr().err

    assert "`From_file` cannot be a stack's name" in refused("stop", "--env", "a")
    assert "`B_file` cannot" in refused("-e", "b", "stop")
    monkeypatch.setenv("CDCCTL_ENV", "b")
    assert "`B_file` cannot" in refused("stop")
    monkeypatch.setenv("CDCCTL_STACK", "From_variable")
    assert "`From_variable` cannot" in refused("stop")
    assert "`From_flag` cannot" in refused("stop", "--stack", "From_flag")
    assert "there is no environment `c`" in refused("stop", "--env=c")


CANARY = "s3cr3t-canary"


@pytest.mark.parametrize(
    "text",
    [
        f"password={CANARY}",
        f"password = '{CANARY}'",
        f'{{"SecretString": "{CANARY}"}}',
        f"jaas.config: {CANARY};",
        f"Authorization: {CANARY}",
        f"X-Amz-Security-Token={CANARY}&x=1",
        f"aws_secret_access_key={CANARY}",
    ],
)
def test_a_secret_is_hidden(text: str) -> None:
    assert CANARY not in redaction.redacted(text)
    assert redaction.MASK in redaction.redacted(text)


def test_a_key_id_is_hidden_and_plain_words_stay() -> None:
    assert "AKIA" not in redaction.redacted("key AKIAABCDEFGHIJKLMNOP used")
    assert redaction.redacted("glue get_job_runs") == "glue get_job_runs"


def test_the_log_file_holds_lines_without_secrets(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "cdcctl.log"
    try:
        app.run(["--log-file", str(file), "-v", "rules"])
        logging.getLogger("cdcctl.test").info("password=%s", CANARY)
        logging.getLogger("botocore").debug("wire %s", CANARY)
    finally:
        logs.configure(0, None)
    entries = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert entries[-1]["message"] == "password=****"
    shown = capsys.readouterr().err
    assert "password=****" in shown
    assert CANARY not in shown + file.read_text(encoding="utf-8")


def test_a_log_file_that_cannot_be_written_is_a_usage_error(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["rules", "--log-file", str(folder / "none" / "x.log")]) == ExitCode.USAGE
    assert "USE043" in capsys.readouterr().err
    logs.configure(0, None)


def test_on_github_an_error_is_an_annotation(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    app.run(["stop"])
    assert "::error title=USE020::which stack?" in capsys.readouterr().err


def test_a_protected_environment_refuses_a_teardown_before_it_asks_aws(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder / "cdcctl.toml", '[env.prod]\nstack = "live"\nprotected = true\n')
    words = ["teardown", "--env", "prod", "--confirm", "live"]
    assert app.run(words) == ExitCode.CONFIRM
    assert "TDN005" in capsys.readouterr().err
    write(folder / "cdcctl.toml", '[env.prod]\nstack = "No!"\nprotected = true\n')
    assert app.run([*words, "--disable-protection"]) == ExitCode.USAGE
    assert "USE021" in capsys.readouterr().err


def test_protection_is_true_or_false(folder: Path) -> None:
    write(folder / "cdcctl.toml", 'protected = "yes"\n')
    with pytest.raises(CdcctlError, match=r"`protected` in .* is not true or false"):
        tool_defaults(folder, None)
