"""What a deploy tells of time: what has passed, what is usual, what is left."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cdcctl.aws.cloudformation import StackEvent
from cdcctl.compile.template import render_pipeline
from cdcctl.operations.durations import SHIPPED_SECONDS, Durations, load_durations
from cdcctl.operations.stack_clock import StackClock
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
    brokers, replication = SHIPPED_SECONDS["AWS::MSK::Cluster"], 778
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
    assert seen.reading(at(600)).lines() == [
        "Brokers 9:58, usually 30:33",
        "Database 10:00, usually 10:12",
        "about 25 to 47 min left",
    ]


def test_what_takes_longer_than_usual_does_not_turn_the_time_back() -> None:
    seen = clock(event("Replication", "CREATE_IN_PROGRESS", 0), made=("Replication",))
    assert seen.reading(at(900)).lines() == ["Replication 15:00, usually 12:58"]


def test_an_update_that_makes_nothing_anew_tells_no_time() -> None:
    seen = clock(event("Brokers", "UPDATE_IN_PROGRESS", 0), made=())
    assert seen.reading(at(600)).lines() == []


def test_a_rollback_is_not_told_as_a_creation() -> None:
    seen = clock(
        event("Brokers", "CREATE_IN_PROGRESS", 0),
        event("demo", "ROLLBACK_IN_PROGRESS", 60),
        event("Brokers", "DELETE_IN_PROGRESS", 61),
    )
    assert seen.reading(at(600)).lines() == []


def test_attached_to_an_operation_the_events_alone_tell() -> None:
    seen = StackClock()
    seen.see(event("Brokers", "CREATE_IN_PROGRESS", 0))
    assert seen.reading(at(600)).lines() == [
        "Brokers 10:00, usually 30:33",
        "about 14 to 30 min left",
    ]


def test_what_all_the_rest_waits_for_is_marked() -> None:
    seen = clock(
        event("Brokers", "CREATE_IN_PROGRESS", 0),
        event("Database", "CREATE_IN_PROGRESS", 0),
    )
    marked = {each.name: each.is_critical for each in seen.reading(at(60)).slow}
    # Replication waits for the database as well, which is there long before the brokers are.
    assert marked == {"Brokers": True, "Database": False}
    without_brokers = {name: TEMPLATE[name] for name in ("Database", "Replication")}
    seen = StackClock(without_brokers, without_brokers)
    seen.see(event("Database", "CREATE_IN_PROGRESS", 0))
    (database,) = seen.reading(at(60)).slow
    assert database.is_critical


def test_a_creation_is_remembered_by_type_and_region(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDCCTL_STATE_DIR", str(tmp_path / "state"))
    first, _ = load_durations("eu-central-1")
    assert first.usual("AWS::MSK::Cluster").middle == SHIPPED_SECONDS["AWS::MSK::Cluster"]
    for number, seconds in enumerate((1500, 1200, 1400)):
        seen = StackClock(durations=load_durations("eu-central-1")[0])
        begun = event("Brokers", "CREATE_IN_PROGRESS", 0)
        ended = event("Brokers", "CREATE_COMPLETE", seconds)
        ended = type(ended)(**{**vars(ended), "id": f"event {number}"})
        told = [seen.see(each) for each in (begun, ended, ended)]
        assert (told[0].took_seconds, told[1].took_seconds) == (None, seconds)
    usual = load_durations("eu-central-1")[0].usual("AWS::MSK::Cluster")
    assert (usual.low, usual.middle, round(usual.high)) == (1200, 1400, 1540)
    seen = StackClock(durations=load_durations("eu-central-1")[0])
    seen.see(event("Brokers", "CREATE_IN_PROGRESS", 0))
    assert seen.reading(at(600)).lines() == [
        "Brokers 10:00, usually 23:20",
        "about 10 to 16 min left",
    ]
    elsewhere = load_durations("us-east-1")[0].usual("AWS::MSK::Cluster")
    assert elsewhere.middle == SHIPPED_SECONDS["AWS::MSK::Cluster"]


def test_what_takes_seconds_or_is_taken_back_is_not_remembered(tmp_path: Path) -> None:
    file = tmp_path / "durations.json"
    seen = StackClock(durations=Durations("eu-central-1", {}, file))
    took = []
    for name, status, seconds in (
        ("Secret", "CREATE_IN_PROGRESS", 0),
        ("Secret", "CREATE_COMPLETE", 20),
        ("Brokers", "CREATE_IN_PROGRESS", 0),
        ("Brokers", "CREATE_FAILED", 900),
        ("Brokers", "DELETE_IN_PROGRESS", 901),
        ("Brokers", "DELETE_COMPLETE", 1500),
        ("demo", "CREATE_IN_PROGRESS", 0),
        ("demo", "CREATE_COMPLETE", 1500),
    ):
        took.append(seen.see(event(name, status, seconds)).took_seconds)
    assert took == [None, 20, None, 900, None, 599, None, 1500]
    assert not file.exists()


def test_of_a_type_the_newest_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "state" / "durations.json"
    durations = Durations("eu-central-1", {}, file)
    for number in range(30):
        durations.add("AWS::MSK::Cluster", f"event {number}", 1000 + number)
    held = json.loads(file.read_text())["regions"]["eu-central-1"]["AWS::MSK::Cluster"]
    assert [*held.values()] == [1000 + number for number in range(20, 30)]
    assert [each.name for each in file.parent.iterdir()] == ["durations.json"]


HELD = '{"schema": "cdcctl/durations/v1", "regions": {"eu-central-1": %s}}'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ("[]", "it is not of the form cdcctl/durations/v1"),
        ('{"schema": "cdcctl/durations/v2", "regions": {}}', "it is not of the form"),
        (HELD % "[]", "it is not of the form"),
        (HELD % '{"AWS::MSK::Cluster": {}}', "it is not of the form"),
        (HELD % '{"AWS::MSK::Cluster": {"a": "1"}}', "it is not of the form"),
        (HELD % '{"AWS::MSK::Cluster": {"a": -1}}', "it is not of the form"),
        (HELD % '{"AWS::MSK::Cluster": {"a": Infinity}}', "it is not of the form"),
        (" " * 1_000_001, "it is far larger"),
    ],
)
def test_a_damaged_memory_is_left_aside_and_written_anew(
    text: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDCCTL_STATE_DIR", str(tmp_path))
    file = tmp_path / "durations.json"
    file.write_text(text)
    durations, warning = load_durations("eu-central-1")
    assert warning.startswith(f"{file} is left aside: {fault}")
    assert durations.usual("AWS::RDS::DBInstance").middle == 612
    durations.add("AWS::RDS::DBInstance", "an event", 500)
    again, warning = load_durations("eu-central-1")
    assert (again.usual("AWS::RDS::DBInstance").middle, warning) == (500, "")


def test_a_memory_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    durations = Durations("eu-central-1", {}, tmp_path / "file" / "durations.json")
    durations.add("AWS::RDS::DBInstance", "an event", 500)
    assert durations.usual("AWS::RDS::DBInstance").middle == 500


def test_the_pipeline_takes_its_brokers_and_what_needs_them() -> None:
    pipeline = load_file(Path("config/tables.yaml")).pipeline
    assert pipeline is not None
    resources = render_pipeline(pipeline, (), ()).document["Resources"]
    whole = StackClock(resources, resources).left_seconds(BEGAN)
    assert 1833 <= whole < 1833 + 778 + 612
