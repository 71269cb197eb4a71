"""One writer a lake folder: a living owner is named, a killed one's Java is waited for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glue_job.edge import lease
from glue_job.edge.lease import LakeLock
from glue_job.errors import JobError


def test_the_owner_is_named_and_its_end_frees_the_lake(tmp_path: Path) -> None:
    with LakeLock(tmp_path, "the first"):
        with pytest.raises(JobError, match="the first") as refused:
            LakeLock(tmp_path, "the second").__enter__()
        assert refused.value.code == "LAK040"
    with LakeLock(tmp_path, "the second"):
        pass


def test_a_killed_owners_java_is_waited_for_and_a_refusal_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LakeLock(tmp_path, "the first") as lock:
        lock.note_jvm(4711)
        assert json.loads((tmp_path / "_writer.lock").read_text())["jvm"] == 4711
    asked: list[int] = []
    monkeypatch.setattr(lease, "_JVM_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(lease, "_is_java", lambda pid: asked.append(pid) is None)
    refused = LakeLock(tmp_path, "the second")
    with pytest.raises(JobError, match="4711"):
        refused.__enter__()
    assert set(asked) == {4711}
    monkeypatch.setattr(lease, "_is_java", lambda pid: False)
    with LakeLock(tmp_path, "the third"):
        pass
