"""README.md is held to what the tool does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cdcctl import app
from cdcctl.errors import ExitCode
from cdcctl.operations.catalogue import catalogue, markdown
from cdcctl.operations.config_schema import reference_markdown
from glue_job.contract.schema import json_schema
from glue_job.contract.telemetry import METRICS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_command_is_documented_and_every_documented_command_exists() -> None:
    documented = set(re.findall(r"^\| `cdcctl ([a-z-]+(?: [a-z]+)?)", README, re.MULTILINE))
    existing = {
        f"{entry.name} {leaf}".strip()
        for entry in app.COMMANDS
        for leaf in entry.subcommands or ("",)
    }
    assert documented == existing


@pytest.mark.parametrize(
    ("part", "generated"), [("rules", markdown(catalogue())), ("schema", reference_markdown())]
)
def test_a_part_is_generated(part: str, generated: str) -> None:
    _, _, rest = README.partition(f"<!-- {part}:begin -->\n")
    assert rest.partition(f"<!-- {part}:end -->")[0] == generated


def test_the_reference_has_every_key_of_the_config() -> None:
    keys = re.findall(r"^\| `(\w+)` \|", reference_markdown(), re.MULTILINE)

    def plain(schema: Any) -> Iterator[str]:
        for name, sub in schema.get("properties", {}).items():
            yield name
            yield from plain(sub)

    definitions = json_schema()["definitions"]
    lists = {"schema", "dq_rules", "deequ_checks", "transforms", "circuit_breaker", "history"}
    names = [name for each in definitions.values() for name in plain(each)]
    assert sorted(keys) == sorted(name for name in names if name not in lists)


def test_every_example_of_the_config_schema_is_legal() -> None:
    schema = json_schema()

    def examples(at: Any) -> Iterator[tuple[Any, Any]]:
        if isinstance(at, dict):
            yield from ((at, each) for each in at.get("examples", ()))
            for sub in at.values():
                yield from examples(sub)

    found = list(examples(schema))
    assert len(found) > 20
    for part, example in found:
        held = {**part, "definitions": schema["definitions"]}
        jsonschema.Draft7Validator(held).validate(example)


def test_there_are_exactly_two_commands_and_both_set_up_their_own_environment() -> None:
    commands = re.findall(r"^python3\.11 -m venv \.venv && (.*)$", README, re.MULTILINE)
    assert [re.findall(r"'\.\[(\w+)\]'", command) for command in commands] == [["local"], ["dev"]]
    assert [command.split("/")[-1] for command in commands] == ["cdcctl demo", "pytest"]


def test_exit_codes_are_those_of_the_tool() -> None:
    section = README.partition("### Exit codes")[2].partition("\n## ")[0]
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)}
    assert documented == {int(code) for code in ExitCode}


def test_the_files_it_names_exist() -> None:
    for path in ("config/tables.yaml", "cdcctl/ui/schemas", "LICENSE", ".ci/run"):
        assert (ROOT / path).exists(), path


def test_every_metric_of_the_job_is_documented() -> None:
    section = README.partition("## What the job tells")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| (`.*`) \|", section, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(documented))) == set(METRICS)
