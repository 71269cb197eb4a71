"""Checks of a stack that is there: what it runs, what it reaches AWS through, its topics."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from cdcctl.aws import cloudformation as cfn
from cdcctl.aws import s3
from cdcctl.bundle import hash_of_files
from cdcctl.operations.configuration import LoadedConfig
from cdcctl.operations.doctor.check import Check, Probe
from cdcctl.operations.package import CODE, MANIFEST
from cdcctl.operations.target import Target
from cdcctl.operations.topic_sync import sync_topics

_AREA = "stack"


def probes(target: Target, config: LoadedConfig) -> tuple[Probe, ...]:
    """Give the checks of the deployed stack; without one there is nothing to look at."""

    def of_stack(name: str, look: Callable[[cfn.StackState], Check]) -> Probe:
        def checked() -> Check:
            state = cfn.find_made(target.aws, target.stack)
            if state is None:
                return Check(_AREA, name, "unknown", "the stack is not there yet", "cdcctl deploy")
            return look(state)

        return Probe(_AREA, name, checked)

    return (
        of_stack("code", lambda state: _code(target, state)),
        of_stack("config", lambda state: _config(target, state)),
        of_stack("endpoints", lambda state: _endpoints(target, state)),
        of_stack("topics", lambda _: _topics(target, config)),
    )


def _code(target: Target, state: cfn.StackState) -> Check:
    """Hold the uploaded bundle against its manifest, and that against the hash that names it."""
    folder = f"{CODE}{state.parameters['CodeHash']}"
    body = s3.read(target.aws, target.names.assets_bucket, f"{folder}/{MANIFEST}")
    if body is None:
        return _wrong(target, "code", f"{folder}/{MANIFEST} is gone", "code")
    files = json.loads(body)["files"]
    if hash_of_files(files) != state.parameters["CodeHash"]:
        return _wrong(target, "code", f"{folder}/{MANIFEST} is not the bundle's", "code")
    held = {
        each["Key"]: each["Size"]
        for each in target.aws.pages(
            "s3",
            "list_objects_v2",
            "Contents",
            Bucket=target.names.assets_bucket,
            Prefix=f"{folder}/",
        )
    }
    wrong = [e["name"] for e in files if held.get(f"{folder}/{e['name']}") != e["size"]]
    if wrong:
        listed = ", ".join(wrong)
        return _wrong(target, "code", f"gone or cut in {folder}: {listed}", "code")
    return Check(_AREA, "code", "pass", f"{len(files)} files of {folder}, as they were packed")


def _config(target: Target, state: cfn.StackState) -> Check:
    key = f"config/{state.parameters['ConfigHash']}/tables.yaml"
    body = s3.read(target.aws, target.names.assets_bucket, key)
    if body is None:
        return _wrong(target, "config", f"{key} is gone", "code,start")
    if hashlib.sha256(body).hexdigest()[:16] != state.parameters["ConfigHash"]:
        return _wrong(target, "config", f"{key} has been changed", "code,start")
    return Check(_AREA, "config", "pass", f"{key} is as it was deployed")


def _wrong(target: Target, name: str, seen: str, steps: str) -> Check:
    fix = f"cdcctl deploy --stack {target.stack} --only {steps}   uploads it"
    return Check(_AREA, name, "fail", seen, fix)


def _endpoints(target: Target, state: cfn.StackState) -> Check:
    """Look at what stands for a way out: through it job, DMS and Lambdas reach S3 and the rest."""
    wanted = {
        each["PhysicalResourceId"]: each["LogicalResourceId"]
        for each in cfn.resources(target.aws, state.id)
        if each["ResourceType"] == "AWS::EC2::VPCEndpoint" and each.get("PhysicalResourceId")
    }
    # A stack whose creation goes on, or has failed, has no outputs that would name its network.
    states = {
        each["VpcEndpointId"]: each["State"].lower()
        for each in target.aws.pages("ec2", "describe_vpc_endpoints", "VpcEndpoints")
    }
    wrong = [
        f"{name} is {states.get(id_, 'gone')}"
        for id_, name in sorted(wanted.items(), key=lambda each: each[1])
        if states.get(id_) != "available"
    ]
    if wrong:
        seen = f"{', '.join(wrong)}: what needs it does not reach AWS"
        return Check(_AREA, "endpoints", "fail", seen, "cdcctl logs cfn")
    return Check(_AREA, "endpoints", "pass", f"{len(wanted)} endpoints are available")


def _topics(target: Target, config: LoadedConfig) -> Check:
    """Have kafka-admin look from inside the network: it answers only when the brokers do."""
    items = sync_topics(target, config, dry_run=True).items
    missing = [each.name for each in items if each.status in {"to create", "to grant"}]
    if missing:
        seen = f"missing, or without their rights: {', '.join(missing)}"
        fix = f"cdcctl sync-topics --stack {target.stack}"
        return Check(_AREA, "topics", "fail", seen, fix)
    drift = [f"{each.name}: {each.detail}" for each in items if each.status == "drift"]
    if drift:
        fix = f"cdcctl sync-topics --stack {target.stack} --apply-config"
        return Check(_AREA, "topics", "warn", "; ".join(drift), fix)
    return Check(_AREA, "topics", "pass", "the brokers answer, and every topic is as it should be")
