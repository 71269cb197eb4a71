"""The options that say which stack a command works on: one definition for all of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from cdcctl.commands.options import (
    ExpectedAccountOption,
    ProfileOption,
    RegionOption,
    StackOption,
)
from cdcctl.operations.target import TargetChoice


def with_shared_options(
    command: Callable[..., None], shared: Callable[..., Any], name: str
) -> Callable[..., None]:
    """Give a command the options of `shared`, and hand it what that makes of them as `name`."""
    hints = get_type_hints(command, include_extras=True)
    own = inspect.signature(command).parameters
    options = inspect.signature(shared).parameters
    option_hints = get_type_hints(shared, include_extras=True)

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        chosen = {option: given.pop(option) for option in options}
        command(**given, **{name: shared(**chosen)})

    parameters = [each for each in own.values() if each.name != name]
    with_options.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # read by Typer
        [
            each.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=types[each.name])
            for each, types in (
                *((each, hints) for each in parameters),
                *((each, option_hints) for each in options.values()),
            )
        ]
    )
    with_options.__annotations__ = {
        key: hint for key, hint in (hints | option_hints).items() if key != name
    }
    del with_options.__wrapped__  # Typer would look behind the signature
    return with_options


def on_stack(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose a stack, and hand it the choice as `choice`."""
    return with_shared_options(command, _choice, "choice")


def _choice(
    stack: StackOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    expected_account: ExpectedAccountOption = None,
) -> TargetChoice:
    return TargetChoice(stack, region, profile, expected_account)
