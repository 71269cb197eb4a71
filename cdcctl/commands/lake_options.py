"""The options that say which lake a data command reads: one definition for all of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import typer

from cdcctl.commands.options import (
    DEFAULT_CONFIG,
    DEFAULT_LOCAL_DIR,
    ConfigOption,
    ExpectedAccountOption,
    LakeOption,
    LocalDirOption,
    LocalOption,
    ProfileOption,
    RegionOption,
    StackOption,
)
from cdcctl.commands.stack_options import with_shared_options
from cdcctl.operations.lakes import LakeRequest
from cdcctl.operations.moments import moment
from cdcctl.operations.target import TargetChoice


def reads_lake(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose a lake, and hand it their request as `where`."""
    return with_shared_options(command, _request, "where")


def _request(
    local: LocalOption = False,
    lake: LakeOption = None,
    stack: StackOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    expected_account: ExpectedAccountOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    local_dir: LocalDirOption = DEFAULT_LOCAL_DIR,
) -> LakeRequest:
    choice = TargetChoice(stack, region, profile, expected_account)
    return LakeRequest(config, lake, local, local_dir, choice)


def since_moment(text: str | None) -> datetime | None:
    """Read `--since`; a text that is no time is a usage error."""
    if text is None:
        return None
    try:
        return moment(text, datetime.now(UTC))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None
