"""`local run` checks every message file before it starts Java or writes anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cdcctl import app
from tests.unit import lake_builder as build

GOOD = {
    "topic": "cdc-vehicles",
    "partition": 0,
    "offset": 0,
    "timestamp": 1772323200000,
    "key": None,
    "value": "{}",
}


def line(**changes: object) -> str:
    return json.dumps({**GOOD, **changes})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "LOC073|:1 is not a message|it is not JSON"),
        ("[" * 100_000, "LOC073|it is not JSON"),
        ("\n[1]", "LOC073|:2 is not a message|not a JSON object"),
        ('{"topic": "cdc-vehicles"}', "LOC073|it lacks `partition`, `offset`"),
        (line(partition="0"), "LOC073|`partition` is not a whole number"),
        (line(offset=True), "LOC073|`offset`"),
        (line(offset=-2), "LOC073|`offset`"),
        (line(offset=2**63), "LOC073|`offset`"),
        (line(timestamp=1.5), "LOC073|`timestamp`"),
        (line(value={"a": 1}), "LOC073|`value` is neither a text nor null"),
        (line(topic="cdc-ships"), "LOC074|`cdc-ships`|cdc-legs, cdc-vehicles|--config"),
        (line(topic=["cdc-vehicles"]), "LOC073|`topic` is not a text"),
    ],
)
def test_a_bad_line_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, said: str
) -> None:
    messages = tmp_path / "messages"
    messages.mkdir()
    (messages / "0001.jsonl").write_text(line() + "\n")
    (messages / "0002.jsonl").write_text(content + "\n")
    assert run(tmp_path) == 3
    errors = " ".join(capsys.readouterr().err.split())
    for part in said.split("|"):
        assert part in errors
    assert "0002.jsonl" in errors
    assert not any((tmp_path / "lake").rglob("_delta_log"))


def test_no_folder_and_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 3
    assert "LOC070" in capsys.readouterr().err
    (tmp_path / "messages").mkdir()
    (tmp_path / "messages" / "0001.json").write_text(line())
    assert run(tmp_path) == 3
    assert "LOC071" in capsys.readouterr().err


def test_bytes_that_are_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "messages").mkdir()
    (tmp_path / "messages" / "0001.jsonl").write_bytes(b'{"topic": "\xff"}\n')
    assert run(tmp_path) == 3
    assert "LOC073" in capsys.readouterr().err


def test_an_unknown_table_for_the_circuit_breaker(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "messages").mkdir()
    assert run(tmp_path, "--allow-quarantine", "ships") == 2
    assert "`ships`" in capsys.readouterr().err


def run(folder: Path, *options: str) -> int:
    config = folder / "tables.yaml"
    config.write_text(build.CONFIG)
    return app.run(
        [
            "local",
            "run",
            "--config",
            str(config),
            "--messages",
            str(folder / "messages"),
            "--lake",
            str(folder / "lake"),
            *options,
        ]
    )
