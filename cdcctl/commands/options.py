"""Options that several commands share, so that they mean the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cdcctl.commands import completion
from cdcctl.ui.output import OutputFormat

DEFAULT_CONFIG = Path("config/tables.yaml")

ConfigOption = Annotated[
    Path, typer.Option("--config", "-c", help="The pipeline's tables.yaml.", envvar="CDCCTL_CONFIG")
]
OutputOption = Annotated[
    OutputFormat, typer.Option("--output", "-o", help="How the answer is printed.")
]
LakeOption = Annotated[
    Path | None, typer.Option("--lake", help="A lake folder, as `local run --lake` writes it.")
]
LocalOption = Annotated[
    bool, typer.Option("--local", help="The lake of the local stack (`cdcctl local up`).")
]
LocalDirOption = Annotated[
    Path,
    typer.Option("--dir", help="Folder of the local stack.", envvar="CDCCTL_LOCAL_DIR"),
]
ArtifactsOption = Annotated[
    Path | None,
    typer.Option("--artifacts", help="A folder with the jars, for a machine without network."),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")]
DEFAULT_LOCAL_DIR = Path(".cdcctl/local")
StackOption = Annotated[
    str | None,
    typer.Option(
        "--stack",
        "-s",
        help="The pipeline's stack.",
        envvar="CDCCTL_STACK",
        autocompletion=completion.stacks,
    ),
]
TableArgument = Annotated[
    str,
    typer.Argument(metavar="TABLE", help="A source table.", autocompletion=completion.tables),
]
AnyTableArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[TABLE]",
        help="A source table; default: all.",
        autocompletion=completion.tables,
    ),
]
RegionOption = Annotated[
    str | None, typer.Option("--region", "-r", help="The AWS region.", envvar="CDCCTL_REGION")
]
ProfileOption = Annotated[
    str | None, typer.Option("--profile", "-p", help="The AWS profile.", envvar="CDCCTL_PROFILE")
]
ExpectedAccountOption = Annotated[
    str | None,
    typer.Option(
        "--expected-account",
        help="Refuse to work on another account.",
        envvar="CDCCTL_EXPECTED_ACCOUNT",
    ),
]
