"""Checks of the sizes that both profiles take: not every region has every instance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cdcctl.compile.decided import decided_resources
from cdcctl.compile.template import render_pipeline
from cdcctl.operations.doctor.check import Check, Probe, Verdict
from cdcctl.operations.target import Target
from glue_job.contract.model import Pipeline

_AREA = "account"


def probes(target: Target, pipeline: Pipeline) -> tuple[Probe, ...]:
    """Give the checks of instance sizes; MSK does not tell which brokers a region has."""
    template = render_pipeline(pipeline).document
    profiles = {
        name: decided_resources(template, {"Profile": name})
        for name in template["Parameters"]["Profile"]["AllowedValues"]
    }
    return (
        Probe(_AREA, "database sizes", lambda: _databases(target, profiles)),
        Probe(_AREA, "dms sizes", lambda: _replication(target, profiles)),
    )


def _databases(target: Target, profiles: Mapping[str, Any]) -> Check:
    wanted = {name: each["DbInstance"]["Properties"] for name, each in profiles.items()}
    offered = {
        each["DBInstanceClass"]
        for held in wanted.values()
        for each in target.aws.pages(
            "rds",
            "describe_orderable_db_instance_options",
            "OrderableDBInstanceOptions",
            Engine=held["Engine"],
            DBInstanceClass=held["DBInstanceClass"],
        )
        if each["EngineVersion"].partition(".")[0] == held["EngineVersion"]
    }
    sizes = {name: held["DBInstanceClass"] for name, held in wanted.items()}
    return _judged("database sizes", sizes, offered)


def _replication(target: Target, profiles: Mapping[str, Any]) -> Check:
    wanted = {name: each["ReplicationInstance"]["Properties"] for name, each in profiles.items()}
    versions = {str(held["EngineVersion"]) for held in wanted.values()}
    offered = {
        each["ReplicationInstanceClass"]
        for each in target.aws.pages(
            "dms", "describe_orderable_replication_instances", "OrderableReplicationInstances"
        )
        if each["EngineVersion"] in versions
    }
    sizes = {name: held["ReplicationInstanceClass"] for name, held in wanted.items()}
    return _judged("dms sizes", sizes, offered)


def _judged(name: str, sizes: Mapping[str, str], offered: Iterable[str]) -> Check:
    held = set(offered)
    missing = {profile: size for profile, size in sizes.items() if size not in held}
    if not missing:
        return Check(_AREA, name, "pass", f"{', '.join(sizes.values())} are offered")
    listed = ", ".join(f"{size} (Profile={profile})" for profile, size in missing.items())
    verdict: Verdict = "fail" if len(missing) == len(sizes) else "warn"
    return Check(
        _AREA, name, verdict, f"not offered here: {listed}", "choose another region or profile"
    )
