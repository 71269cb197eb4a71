"""What a first deploy would make, told without asking AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cdcctl.aws.cloudformation import Change, ChangeSet
from cdcctl.compile.decided import decided_resources
from cdcctl.operations import infrastructure
from cdcctl.operations.configuration import load_config
from cdcctl.operations.cost.estimate import cost_of
from cdcctl.operations.deploy import DeployRequest, Plan
from cdcctl.operations.deploy_phases import beside_the_stack
from cdcctl.operations.durations import load_durations
from cdcctl.operations.package import package

if TYPE_CHECKING:
    from cdcctl.ui.progress import Progress

_NOT_ASKED = "not asked"


def plan_offline(request: DeployRequest, progress: Progress) -> Plan:
    """Package, compile and count as a deploy does; what is deployed already is not known.

    Without a region it is that of the list prices.
    """
    config = load_config(request.config)
    packed = package(config, request.artifacts, progress)
    template = packed.template.document
    parameters = infrastructure.wanted_parameters(None, request.parameters)
    made = decided_resources(template, parameters)
    changes = tuple(Change("Add", name, each["Type"], "") for name, each in made.items())
    change = infrastructure.InfraChange(ChangeSet("", "", changes), is_new=True)
    cost = cost_of(template, parameters)
    region = request.target.region or cost.region
    return Plan(
        request.target.stack or "a new stack",
        _NOT_ASKED,
        region,
        is_new=True,
        code_hash=packed.code_hash,
        config_hash=packed.config_hash,
        changes=tuple(infrastructure.as_document(change)),
        refused=(),
        config_changes=(),
        cost=cost,
        cost_before=None,
        minutes=infrastructure.likely_minutes(change, packed.template, load_durations(region)[0]),
        beside=beside_the_stack(request.steps),
    )
