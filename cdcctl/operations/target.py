"""Which stack a command works on, and the session that reaches it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cdcctl.compile.names import StackNames, fault_of_stack_name
from cdcctl.errors import CdcctlError, ExitCode

if TYPE_CHECKING:
    from cdcctl.aws.session import Aws


@dataclass(frozen=True)
class TargetChoice:
    """What the operator chose by option, variable or cdcctl.toml."""

    stack: str | None = None
    region: str | None = None
    profile: str | None = None
    expected_account: str | None = None
    """The account that an env section of cdcctl.toml names; another one is refused."""


class Target:
    """One stack in one account and region."""

    def __init__(self, stack: str, aws: Aws) -> None:
        self.stack = stack
        self.aws = aws

    @cached_property
    def names(self) -> StackNames:
        """Give the names of the stack's parts."""
        return StackNames(self.stack, self.aws.account)


def open_target(choice: TargetChoice, *, read_seconds: float = 60.0) -> Target:
    """Open the session; an answer is awaited for so many seconds.

    Raises when no stack is named, its name cannot be one, or the account is not the expected one.
    """
    if not choice.stack:
        raise CdcctlError(
            "USE020",
            "which stack?",
            fix='add --stack NAME, export CDCCTL_STACK, or write stack = "NAME" in cdcctl.toml',
            exit_code=ExitCode.USAGE,
        )
    fault = fault_of_stack_name(choice.stack)
    if fault is not None:
        raise CdcctlError(
            "USE021",
            f"`{choice.stack}` cannot be a stack's name",
            why=fault,
            fix="choose another name with --stack",
            exit_code=ExitCode.USAGE,
        )
    from cdcctl.aws.session import Aws

    target = Target(choice.stack, Aws(choice.region, choice.profile, read_seconds=read_seconds))
    if choice.expected_account and target.aws.account != choice.expected_account:
        raise CdcctlError(
            "AWS009",
            f"these credentials belong to account {target.aws.account}",
            why=f"cdcctl.toml expects account {choice.expected_account}",
            fix="choose another profile with --profile, or another section with --env",
            exit_code=ExitCode.CREDENTIALS,
        )
    return target
