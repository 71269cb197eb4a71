"""The options that say which lake a data command reads: one definition for all of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, get_type_hints

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
from cdcctl.operations.lakes import LakeRequest
from cdcctl.operations.moments import moment
from cdcctl.operations.target import TargetChoice


def reads_lake(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose a lake, and hand it their request as `where`."""
    hints = get_type_hints(command, include_extras=True)
    own = inspect.signature(command).parameters
    shared = inspect.signature(_request).parameters
    shared_hints = get_type_hints(_request, include_extras=True)

    @functools.wraps(command)
    def with_lake(**given: Any) -> None:
        chosen = {name: given.pop(name) for name in shared}
        command(**given, where=_request(**chosen))

    parameters = [each for name, each in own.items() if name != "where"]
    with_lake.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # read by Typer
        [
            each.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=types[each.name])
            for each, types in (
                *((each, hints) for each in parameters),
                *((each, shared_hints) for each in shared.values()),
            )
        ]
    )
    with_lake.__annotations__ = {
        name: hint for name, hint in (hints | shared_hints).items() if name != "where"
    }
    del with_lake.__wrapped__  # Typer would look behind the signature
    return with_lake


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
