"""plan, deploy and teardown at the widths of terminals, with colour and without."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable

import pytest
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from cdcctl.compile.changes import ChangeClass, ConfigChange
from cdcctl.operations.cost.estimate import Estimate
from cdcctl.operations.deploy import DeployReport, Plan
from cdcctl.operations.inventory import BucketContent, Database, Inventory, LakeRows
from cdcctl.operations.leftovers import Leftover
from cdcctl.operations.run_control import StepReport
from cdcctl.operations.stack_clock import SlowResource, StackReading
from cdcctl.operations.teardown import Stays, TeardownReport
from cdcctl.ui import console, deploy, teardown
from cdcctl.ui.progress import LiveProgress

STACK = "fleet-of-the-western-depots-production"
"""As long as a name may be."""
ACCOUNT = "123456789012"
RUN = f"jr_{'8a1f' * 16}"


def change(action: str, name: str, kind: str, replacement: str = "False") -> dict[str, object]:
    return {
        "action": action,
        "id": name,
        "type": kind,
        "replacement": replacement,
        "stateful": replacement == "True",
    }


COST = Estimate({"brokers": 730.0, "keys": 1.0}, ("kafka.m7g.large",), "us-east-1", "2026-11-28")
DATABASE = f"{STACK}-dbinstance-c7e9a0313c8d0"
PLAN = Plan(
    STACK,
    ACCOUNT,
    "ap-southeast-2",
    False,
    "199daab1bb49ee37",
    "8dde5c0011223344",
    (
        *(change("Add", f"Alarm{n:02d}", "AWS::CloudWatch::Alarm") for n in range(20)),
        *(change("Modify", f"ARule{n:02d}", "AWS::EC2::SecurityGroupIngress") for n in range(14)),
        change("Modify", "MskCluster", "AWS::MSK::Cluster", "True"),
        change("Modify", "ZReplicationTask", "AWS::DMS::ReplicationTask", "Conditional"),
        change("Remove", "ZQuarantineBucket", "AWS::S3::Bucket"),
    ),
    ("MskCluster",),
    (
        ConfigChange(
            ChangeClass.restart,
            "rules, transforms or settings of vehicle_telemetry, deliveries, alerts differ",
        ),
        ConfigChange(ChangeClass.breaking, "vehicles: year is integer and would be long"),
    ),
    COST,
    COST,
    (25, 47),
    ("db", "topics", "catalog", "start"),
)
IN_PLAN = (
    f"{STACK} ap-southeast-2 account {ACCOUNT} config 8dde5c code 199daa",
    "config restart: rules, transforms or settings of vehicle_telemetry, deliveries, alerts differ",
    "config breaking: vehicles: year is integer and would be long",
    "20 to add, 16 to change, 1 to remove",
    "~ MskCluster AWS::MSK::Cluster made anew",
    "~ ZReplicationTask AWS::DMS::ReplicationTask may be made anew",
    "− ZQuarantineBucket AWS::S3::Bucket",
    "and 25 more",
    "then db, topics, catalog, start, each where it is needed",
    "time about 25 to 47 min",
    "MskCluster would be made anew and lose what it holds: --allow-replace MskCluster",
)
DEPLOY = DeployReport(
    STACK,
    PLAN.code_hash,
    PLAN.config_hash,
    (
        StepReport("assets bucket", "unchanged", f"{STACK}-assets-{ACCOUNT}"),
        StepReport("stack", "done", "37 changes"),
        StepReport("start glue", "done", f"run {RUN}"),
    ),
)
IN_DEPLOY = (
    f"assets bucket: unchanged {STACK}-assets-{ACCOUNT}",
    "stack: done 37 changes",
    f"start glue: done run {RUN}",
    f"next: cdcctl status --stack {STACK}",
)
SNAPSHOT = Leftover("snapshot", f"{DATABASE}-final-20261122")
INVENTORY = Inventory(
    STACK,
    ACCOUNT,
    "ap-southeast-2",
    (STACK, f"{STACK}-bootstrap"),
    False,
    (
        BucketContent(f"{STACK}-delta-{ACCOUNT}", 1_204_331, 88_123_456_789),
        BucketContent(f"{STACK}-access-logs-{ACCOUNT}", 12, 3456),
    ),
    (f"/aws/lambda/{STACK}-athena-table-creator",),
    (Database(DATABASE, 20),),
    (LakeRows("vehicle_telemetry", 1_204_331, None),),
    (SNAPSHOT, Leftover("layer", f"{STACK}-psycopg2", "17")),
    COST,
)
IN_INVENTORY = (
    f"{STACK} ap-southeast-2 account {ACCOUNT}",
    f"stack {STACK}-bootstrap",
    f"bucket {STACK}-delta-{ACCOUNT}: 1,204,331 versions, 88,123,456,789 bytes, stays",
    f"bucket {STACK}-access-logs-{ACCOUNT}: 12 versions, 3,456 bytes, goes",
    f"database {DATABASE}: 20 GB, goes, a last snapshot stays",
    "lake vehicle_telemetry: 1,204,331 versions, ? refused rows",
    f"log group /aws/lambda/{STACK}-athena-table-creator",
    f"beside it snapshot {SNAPSHOT.name}, stays",
    f"beside it layer {STACK}-psycopg2 version 17, goes",
    "nothing was removed (--dry-run)",
)
KEPT = Stays((f"{STACK}-delta-{ACCOUNT}", f"a last snapshot of {DATABASE}", str(SNAPSHOT)), COST)
TEARDOWN = TeardownReport(
    INVENTORY,
    (StepReport("stop glue", "done", f"run {RUN} ended after its batches"),),
    KEPT,
    (f"log group /aws/lambda/{STACK}-athena-table-creator",),
)
IN_TEARDOWN = (
    f"stop glue: done (run {RUN} ended after its batches)",
    f"{STACK}-delta-{ACCOUNT}",
    f"a last snapshot of {DATABASE}",
    f"snapshot {SNAPSHOT.name}",
    f"left: log group /aws/lambda/{STACK}-athena-table-creator",
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def squeezed(text: str) -> str:
    """Take out what a fold may add."""
    return re.sub(r"\s", "", text)


@pytest.mark.parametrize("color", [True, False])
@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize(
    ("draw", "essential"),
    [
        (lambda: deploy.show_plan_data(PLAN), IN_PLAN),
        (lambda: deploy.show_deploy(DEPLOY), IN_DEPLOY),
        (lambda: teardown.show_teardown(TEARDOWN, dry_run=False), IN_TEARDOWN),
        (
            lambda: teardown.show_teardown(TeardownReport(INVENTORY, (), KEPT, ()), dry_run=True),
            IN_INVENTORY,
        ),
    ],
    ids=["plan", "deploy", "teardown", "inventory"],
)
def test_no_line_is_too_wide_and_nothing_is_cut(
    draw: Callable[[], None],
    essential: tuple[str, ...],
    width: int,
    color: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    console.configure(color=color)
    try:
        draw()
    finally:
        console.configure()
    drawn = screen.getvalue()
    assert ("\x1b[" in drawn) is color
    plain = re.sub(r"\x1b\[[0-9;]*m", "", drawn)
    assert max(map(len, plain.splitlines())) <= width
    assert [each for each in essential if squeezed(each) not in squeezed(plain)] == []


@pytest.mark.parametrize("width", [80, 120])
def test_what_a_step_waits_for_is_shown_whole(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", str(width))
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
    )
    bars = Bars(*columns, console=console.stderr())
    live = LiveProgress(bars)
    told = (f"stack {STACK}: 67 changes", "ReplicationInstance 12:40, usually 12:58")
    live.step(told[0])
    slow = SlowResource("ReplicationInstance", "CREATE_IN_PROGRESS", 760.0, 778.0)
    live.note(StackReading((slow,)))
    bars.console.print(bars.get_renderable())
    plain = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())
    assert max(map(len, plain.splitlines())) <= width
    assert all(line in plain for line in told)
