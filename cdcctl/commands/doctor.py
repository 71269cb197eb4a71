"""`cdcctl doctor`: whether this machine or the account is fit for the pipeline."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from cdcctl.commands.options import (
    DEFAULT_CONFIG,
    DEFAULT_LOCAL_DIR,
    ConfigOption,
    LocalDirOption,
    OutputOption,
)
from cdcctl.commands.stack_options import on_stack
from cdcctl.errors import ExitCode
from cdcctl.operations.doctor import policies
from cdcctl.operations.doctor.check import NOT_SET
from cdcctl.operations.doctor.policies import Role
from cdcctl.operations.target import TargetChoice
from cdcctl.ui import console, output
from cdcctl.ui.output import OutputFormat

app = typer.Typer()
_CHOSEN = ("stack", "region", "profile", "expected_account", "config")


@app.command(
    epilog="Example: cdcctl doctor --stack demo. This machine: cdcctl doctor --local\n\n"
    "A source before there is a stack: cdcctl doctor --from-db postgresql://me@db/fleet\n\n"
    "A policy: cdcctl doctor --stack demo --policy deployer --part 1 > policy.json"
)
@on_stack
def doctor(
    context: typer.Context,
    local: Annotated[
        bool, typer.Option("--local", help="This machine, for the local stack.")
    ] = False,
    from_db: Annotated[
        str | None,
        typer.Option(
            "--from-db", metavar="ADDRESS", help="This PostgreSQL, as the source of tables.yaml."
        ),
    ] = None,
    policy: Annotated[
        Role | None,
        typer.Option("--policy", help="Print the IAM policy that this kind of operator needs."),
    ] = None,
    part: Annotated[
        int | None,
        typer.Option(
            "--part", min=1, help="Only this part of the policy: IAM takes 6,144 characters in one."
        ),
    ] = None,
    output_format: OutputOption = OutputFormat.table,
    config: ConfigOption = DEFAULT_CONFIG,
    local_dir: LocalDirOption = DEFAULT_LOCAL_DIR,
    *,
    choice: TargetChoice,
) -> None:
    """Check what the pipeline stands on; exit 7 when a check fails, each with its fix."""
    from cdcctl.operations.doctor import examination
    from cdcctl.ui import doctor as view

    if policy is not None:
        needed = examination.needed_policy(policy, choice, part)
        sys.stdout.write(json.dumps(needed.document, indent=2) + "\n")
        if needed.is_too_long:
            console.warn(
                f"IAM takes {policies.MAX_POLICY_CHARACTERS:,} characters in one managed policy:"
                f" print it in {needed.parts}, --part 1 to --part {needed.parts}"
            )
        return
    if from_db is not None:
        report = examination.examine_database(from_db, config)
    elif local:
        report = examination.examine_machine(local_dir)
    else:
        report = examination.examine_account(choice, config, _values(context))
    output.write(view.doctor_document(report), output_format, lambda: view.show_doctor(report))
    if not report.is_healthy:
        raise typer.Exit(ExitCode.UNHEALTHY)


def _values(context: typer.Context) -> dict[str, str]:
    """Give what was chosen by option, each value with where it came from."""
    origins = (context.default_map or {}).get("origins", {})
    told = {}
    for parameter in context.command.params:
        name = str(parameter.name)
        if name not in _CHOSEN:
            continue
        source = context.get_parameter_source(name)
        match source.name if source is not None else "":
            case "COMMANDLINE":
                origin = "an option"
            case "ENVIRONMENT":
                origin = str(parameter.envvar)
            case "DEFAULT_MAP":
                origin = origins[name]
            case _:
                origin = "the default"
        value = context.params[name]
        told[name] = NOT_SET if value is None else f"{value}, from {origin}"
    return told
