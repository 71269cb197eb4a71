"""What a deploy removes of the packages of earlier ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cdcctl.operations.old_code import KEPT, prune_code
from cdcctl.operations.target import Target
from tests.unit.answering_aws import AnsweringAws

BUCKET = "demo-assets-123456789012"
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def removed(packages: int, *, current: int, running: int | None = None) -> list[list[str]]:
    """Give what is deleted, call by call, of packages that were uploaded day by day."""
    deleted: list[list[str]] = []

    def delete(asked: dict[str, Any]) -> dict[str, Any]:
        assert asked["Bucket"] == BUCKET
        deleted.append([each["Key"] for each in asked["Delete"]["Objects"]])
        return {}

    held = [
        {"Key": f"code/{day:02}/{name}", "LastModified": BEGAN + timedelta(days=day)}
        for day in range(packages)
        for name in ("a.whl", "glue_job.zip", "manifest.json")
    ]
    place = f"s3://{BUCKET}/code/{running:02}/glue_job.zip" if running is not None else ""
    runs = [
        {"Id": "jr_2", "JobRunState": "RUNNING", "Arguments": {"--extra-py-files": place}},
        {
            "Id": "jr_1",
            "JobRunState": "STOPPED",
            "Arguments": {"--extra-py-files": f"s3://{BUCKET}/code/00/glue_job.zip"},
        },
    ]
    answers = {"list_objects_v2": held, "get_job_runs": runs, "delete_objects": delete}
    target = Target("demo", AnsweringAws(answers))  # type: ignore[arg-type]  # answers from a table
    assert prune_code(target, f"{current:02}") == len(deleted) // 2
    return deleted


def test_the_newest_packages_stay() -> None:
    assert removed(KEPT, current=KEPT - 1) == []
    assert removed(KEPT + 1, current=KEPT) == [
        ["code/00/manifest.json"],
        ["code/00/a.whl", "code/00/glue_job.zip"],
    ]


@pytest.mark.parametrize(
    ("current", "running", "gone"), [(0, 12, {"01", "02"}), (12, 1, {"00", "02"}), (1, 0, {"02"})]
)
def test_a_package_that_is_deployed_or_run_stays_however_old(
    current: int, running: int, gone: set[str]
) -> None:
    deleted = removed(KEPT + 3, current=current, running=running)
    assert {key.split("/")[1] for keys in deleted for key in keys} == gone
