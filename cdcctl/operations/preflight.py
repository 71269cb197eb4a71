"""Looks, before a stack is created, at what would let its creation fail after half an hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdcctl.operations.doctor.check import carry_out
from cdcctl.operations.doctor.examination import account_probes
from cdcctl.operations.run_control import StepReport
from cdcctl.operations.target import Target
from glue_job.contract.model import Pipeline

if TYPE_CHECKING:
    from cdcctl.ui.deploy_watch import DeployWatch

_PATIENCE_SECONDS = 30.0
"""What follows takes half an hour: an answer is worth more than at `doctor`."""


def preflight(target: Target, pipeline: Pipeline, watch: DeployWatch) -> StepReport:
    """Warn of each check of the account that fails; the operator decides, and AWS in the end."""
    watch.step("the account")
    checks = carry_out(account_probes(target, pipeline), _PATIENCE_SECONDS).checks
    for check in checks:
        if check.verdict == "fail":
            watch.warn(f"{check.name}: {check.seen}\n  {check.fix}")
    passed = sum(check.verdict in {"pass", "warn"} for check in checks)
    return StepReport("preflight", "unchanged", f"{passed} of {len(checks)} checks passed")
