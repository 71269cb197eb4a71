"""Puts the checks together for what was asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cdcctl.operations.configuration import load_config
from cdcctl.operations.doctor import machine
from cdcctl.operations.doctor.check import DoctorReport, carry_out
from cdcctl.operations.doctor.policies import Role, policy
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


def needed_policy(role: Role, choice: TargetChoice) -> dict[str, Any]:
    """Give the least-privilege policy of a role for a stack."""
    target = open_target(choice)
    return policy(role, target.names, target.aws.region)
