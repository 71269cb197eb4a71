"""Puts the checks together for what was asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.configuration import load_config
from cdcctl.operations.doctor import machine
from cdcctl.operations.doctor.check import DoctorReport, carry_out
from cdcctl.operations.doctor.policies import (
    MAX_POLICY_CHARACTERS,
    Role,
    length,
    policy,
    policy_parts,
)
from cdcctl.operations.target import TargetChoice, open_target


def examine_machine(local_folder: Path) -> DoctorReport:
    """Check this machine for the local stack."""
    return carry_out(machine.probes(local_folder))


def examine_account(choice: TargetChoice, config: Path) -> DoctorReport:
    """Check the account, and the stack when it is there."""
    from cdcctl.operations.doctor import account, replication

    pipeline = load_config(config).pipeline
    target = open_target(choice)
    return carry_out((*account.probes(target), *replication.probes(target, pipeline)))


@dataclass(frozen=True)
class NeededPolicy:
    """A policy, or one part of it, and in how many parts IAM takes the whole."""

    document: dict[str, Any]
    parts: int

    @property
    def is_too_long(self) -> bool:
        """Tell whether IAM refuses the document as one managed policy."""
        return length(self.document) > MAX_POLICY_CHARACTERS


def needed_policy(role: Role, choice: TargetChoice, part: int | None) -> NeededPolicy:
    """Give the least-privilege policy of a role for a stack."""
    target = open_target(choice)
    parts = policy_parts(role, target.names, target.aws.region)
    if part is None:
        return NeededPolicy(policy(role, target.names, target.aws.region), len(parts))
    if part > len(parts):
        raise CdcctlError(
            "USE060",
            f"the policy has no part {part}",
            why=f"it has {len(parts)}",
            fix=f"--part 1 to --part {len(parts)}",
            exit_code=ExitCode.USAGE,
        )
    return NeededPolicy(parts[part - 1], len(parts))
