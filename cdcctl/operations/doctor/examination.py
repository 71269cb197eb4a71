"""Puts the checks together for what was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.configuration import load_config
from cdcctl.operations.doctor import machine
from cdcctl.operations.doctor.check import BUDGET_SECONDS, DoctorReport, Probe, carry_out
from cdcctl.operations.doctor.policies import (
    MAX_POLICY_CHARACTERS,
    Role,
    length,
    policy,
    policy_parts,
)
from cdcctl.operations.target import Target, TargetChoice, open_target
from glue_job.contract.model import Pipeline


def examine_machine(local_folder: Path) -> DoctorReport:
    """Check this machine for the local stack, and the stack's source when it is up."""
    probes = list(machine.probes(local_folder))
    if not local_folder.exists() or machine.missing_packages():
        return carry_out(probes)
    from cdcctl.operations.doctor import source
    from cdcctl.operations.local_stack import stack_status

    stack = stack_status(local_folder)
    if stack.is_up:
        pipeline = load_config(Path(stack.config)).pipeline
        port = int(stack.postgres["port"])
        probes.append(
            source.probe(
                lambda: source.state_of_local_stack(local_folder, port, pipeline), pipeline
            )
        )
    return carry_out(probes)


def examine_database(address: str, config: Path) -> DoctorReport:
    """Check one database that this machine reaches."""
    from cdcctl.operations.doctor import source

    pipeline = load_config(config).pipeline
    state = source.state_of_address(address, pipeline)
    return DoctorReport(tuple(source.source_checks(state, pipeline)))


def account_probes(target: Target, pipeline: Pipeline) -> tuple[Probe, ...]:
    """Give every check of the account and region: what a stack stands on before it is there."""
    from cdcctl.operations.doctor import account, offers, region, remains

    return (
        region.probe(target),
        *account.probes(target),
        *offers.probes(target, pipeline),
        *remains.probes(target),
    )


def examine_account(choice: TargetChoice, config: Path, values: Mapping[str, str]) -> DoctorReport:
    """Check the account, and the stack when it is there; tell which `values` were chosen."""
    from cdcctl.operations.doctor import account, deployed, region, replication, source

    loaded = load_config(config)
    try:
        target = open_target(choice, read_seconds=BUDGET_SECONDS)
        # Without credentials that AWS takes there is nothing to look at: this raises.
        _ = target.aws.account
    except CdcctlError as refusal:
        cause = region.explained(refusal, choice)
        if cause is refusal:
            raise
        raise cause from refusal
    return carry_out(
        (
            *account.chosen(values, target),
            *account_probes(target, loaded.pipeline),
            *deployed.probes(target, loaded),
            *replication.probes(target, loaded.pipeline),
            source.probe(lambda: source.state_of_stack(target, loaded), loaded.pipeline),
        )
    )


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
