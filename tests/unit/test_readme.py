"""README.md is held to what the tool does."""

from __future__ import annotations

import re
from pathlib import Path

from cdcctl import app
from cdcctl.errors import ExitCode
from cdcctl.operations.catalogue import catalogue, markdown
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


def test_the_rules_table_is_generated() -> None:
    table = README.partition("<!-- rules:begin -->\n")[2].partition("<!-- rules:end -->")[0]
    assert table == markdown(catalogue())


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
