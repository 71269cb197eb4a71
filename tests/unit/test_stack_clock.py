"""What a deploy tells of time: what has passed, what is usual, what is left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cdcctl.aws.cloudformation import StackEvent
from cdcctl.compile.template import render_pipeline
from cdcctl.operations.stack_clock import USUAL_SECONDS, StackClock
from glue_job.contract.loader import load_file

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
TEMPLATE: dict[str, Any] = {
    "Brokers": {"Type": "AWS::MSK::Cluster"},
    "Database": {"Type": "AWS::RDS::DBInstance"},
    "Secret": {"Type": "AWS::SecretsManager::Secret", "DependsOn": ["Brokers"]},
    "Replication": {
        "Type": "AWS::DMS::ReplicationInstance",
        "Properties": {"Name": {"Fn::Sub": "${Secret.Arn}-${Database}"}},
    },
}


def at(seconds: int) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def event(name: str, status: str, seconds: int) -> StackEvent:
    kind = TEMPLATE[name]["Type"] if name in TEMPLATE else "AWS::CloudFormation::Stack"
    return StackEvent(f"{name}{status}", at(seconds), name, kind, status, "")


def clock(*events: StackEvent, made: tuple[str, ...] = tuple(TEMPLATE)) -> StackClock:
    made_for = StackClock(TEMPLATE, made)
    for each in events:
        made_for.see(each)
    return made_for


def test_what_waits_for_another_is_counted_after_it() -> None:
    brokers, replication = USUAL_SECONDS["AWS::MSK::Cluster"], 778
    assert clock().left_seconds(BEGAN) == brokers + replication
    begun = clock(event("Brokers", "CREATE_IN_PROGRESS", 0))
    assert begun.left_seconds(at(600)) == brokers + replication - 600
    done = clock(
        event("Brokers", "CREATE_IN_PROGRESS", 0),
        event("Brokers", "CREATE_COMPLETE", 700),
        event("Database", "CREATE_COMPLETE", 710),
    )
    assert done.left_seconds(at(720)) == replication


def test_the_slow_ones_at_work_are_told_the_slowest_first() -> None:
    seen = clock(
        event("Database", "CREATE_IN_PROGRESS", 0),
        event("Brokers", "CREATE_IN_PROGRESS", 2),
        event("Secret", "CREATE_IN_PROGRESS", 3),
    )
    assert seen.lines(at(600)) == [
        "Brokers 9:58, usually 30:33",
        "Database 10:00, usually 10:12",
        "about 27 to 44 min left",
    ]


def test_what_takes_longer_than_usual_does_not_turn_the_time_back() -> None:
    seen = clock(event("Replication", "CREATE_IN_PROGRESS", 0), made=("Replication",))
    assert seen.lines(at(900)) == ["Replication 15:00, usually 12:58"]


def test_an_update_that_makes_nothing_anew_tells_no_time() -> None:
    seen = clock(event("Brokers", "UPDATE_IN_PROGRESS", 0), made=())
    assert seen.lines(at(600)) == []


def test_a_rollback_is_not_told_as_a_creation() -> None:
    seen = clock(
        event("Brokers", "CREATE_IN_PROGRESS", 0),
        event("demo", "ROLLBACK_IN_PROGRESS", 60),
        event("Brokers", "DELETE_IN_PROGRESS", 61),
    )
    assert seen.lines(at(600)) == []


def test_attached_to_an_operation_the_events_alone_tell() -> None:
    seen = StackClock()
    seen.see(event("Brokers", "CREATE_IN_PROGRESS", 0))
    assert seen.lines(at(600)) == ["Brokers 10:00, usually 30:33", "about 16 to 27 min left"]


def test_the_pipeline_takes_its_brokers_and_what_needs_them() -> None:
    pipeline = load_file(Path("config/tables.yaml")).pipeline
    assert pipeline is not None
    resources = render_pipeline(pipeline, (), ()).document["Resources"]
    whole = StackClock(resources, resources).left_seconds(BEGAN)
    assert 1833 <= whole < 1833 + 778 + 612
