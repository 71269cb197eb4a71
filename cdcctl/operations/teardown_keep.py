"""What stays of a stack that is deleted: marked in its template, since nothing else survives."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdcctl.aws import cloudformation as cfn
from cdcctl.aws import s3
from cdcctl.compile.template import Rendered
from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations import infrastructure
from cdcctl.operations.target import Target
from cdcctl.operations.waiting import Waiting

if TYPE_CHECKING:
    from cdcctl.ui.progress import Progress

_KEY, _DATABASE = "DataKey", "DbInstance"
_PASSED = ("DELETE_COMPLETE", "DELETE_SKIPPED")
"""A deletion is done with these: CloudFormation refuses to be told that they stay."""


@dataclass(frozen=True)
class Keeping:
    """What the operator wants to stay."""

    buckets: tuple[str, ...]
    final_snapshot: bool
    """The database leaves a snapshot, which needs the key it is under."""

    def policies(self, resources: Mapping[str, str]) -> dict[str, str]:
        """Give the deletion policy of each resource (logical id: physical id) that has a say."""
        kept = [name for name, physical in resources.items() if physical in self.buckets]
        found = dict.fromkeys(kept, "Retain")
        if _DATABASE in resources:
            found[_DATABASE] = "Snapshot" if self.final_snapshot else "Delete"
        if _KEY in resources:
            # Objects and snapshots are under this key: without it nobody can read them.
            stays = kept or (self.final_snapshot and _DATABASE in resources)
            found[_KEY] = "Retain" if stays else "Delete"
        return found


def keep(
    target: Target,
    stack: str,
    keeping: Keeping,
    waiting: Waiting,
    progress: Progress,
    seen: Callable[[cfn.StackEvent], None],
) -> None:
    """Set the deletion policies of a stack's resources; raise when it takes no change.

    CloudFormation takes a deletion policy only together with another change: the metadata.
    """
    state = cfn.find_stack(target.aws, stack)
    if state is None or state.status.startswith("DELETE_"):
        # A deletion that has begun is told of what stays when it fails: `retained`.
        return
    wanted = keeping.policies(_resources(target, stack))
    document = cfn.deployed_template(target.aws, stack)
    resources = document["Resources"]
    changed = {
        name: policy
        for name, policy in wanted.items()
        if name in resources and resources[name].get("DeletionPolicy") != policy
    }
    if not changed:
        return
    obstacle = _obstacle(target, state)
    if obstacle is not None:
        if "Retain" not in changed.values():
            return
        raise CdcctlError(
            "TDN004",
            f"nothing of the stack {stack} can be kept: it takes no change",
            why=f"{obstacle}; {', '.join(sorted(changed))} would go with it",
            fix=f"cdcctl deploy --stack {target.stack} mends it; or let everything go: "
            f"cdcctl teardown --stack {target.stack} --retain none",
            exit_code=ExitCode.CONFIRM,
        )
    for name, policy in changed.items():
        resources[name]["DeletionPolicy"] = policy
        metadata = resources[name].get("Metadata", {})
        resources[name]["Metadata"] = {**metadata, "onDeletion": policy}
    rendered = Rendered("the deployed template", json.dumps(document), {})
    bucket = target.names.assets_bucket
    key = f"templates/{rendered.sha}.json"
    s3.put_missing(target.aws, bucket, key, rendered.body.encode())
    change_set = cfn.create_change_set(
        target.aws,
        stack,
        {"TemplateURL": f"https://{bucket}.s3.{target.aws.region}.amazonaws.com/{key}"},
        state.parameters,
        is_new=False,
        # The bootstrap stack makes a role under a name of its own.
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    if change_set.is_empty:
        cfn.delete_change_set(target.aws, change_set)
        return
    progress.step(f"what stays of {stack}")
    following = infrastructure.Following(waiting, progress, seen)
    infrastructure.carry_out(target, stack, change_set, rendered, following)


def _obstacle(target: Target, state: cfn.StackState) -> str | None:
    """Tell why a stack takes no other template."""
    if state.status == "ROLLBACK_COMPLETE" or not state.status.endswith("_COMPLETE"):
        return f"it is in state {state.status}"
    if not s3.has_bucket(target.aws, target.names.assets_bucket):
        return f"the bucket {target.names.assets_bucket}, which templates are read from, is gone"
    return None


def retained(target: Target, stack_id: str, keeping: Keeping) -> list[str]:
    """Name the resources that the deletion of a stack must leave when one has failed before.

    What is gone has its say still (a snapshot needs the key), but cannot be named.
    """
    there = {
        each["LogicalResourceId"]: each
        for each in cfn.resources(target.aws, stack_id)
        if each.get("PhysicalResourceId")
    }
    wanted = keeping.policies({n: each["PhysicalResourceId"] for n, each in there.items()})
    return sorted(
        name
        for name, policy in wanted.items()
        if policy == "Retain" and there[name].get("ResourceStatus") not in _PASSED
    )


def _resources(target: Target, stack: str) -> dict[str, str]:
    return {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in cfn.resources(target.aws, stack)
        if each.get("PhysicalResourceId") and each.get("ResourceStatus") not in _PASSED
    }
