"""Which process takes which tests when: what takes minutes first, so that both end together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

ONE_SESSION = "tests/spark"
"""The folder whose files share a Spark session: one process takes them all."""
LONGEST = (
    "tests/aws/test_whole_pipeline.py",
    ONE_SESSION,
    "tests/spark/test_kills.py",
    "tests/spark/test_scenarios.py",
    "tests/spark/test_streams.py",
    "tests/local/test_stream.py",
)
"""In this order; files named here run by themselves, the rest comes as it is collected."""


def unit_of(nodeid: str) -> str:
    """Name what a test is handed out with: its file, or the folder of one session."""
    file = nodeid.partition("::")[0]
    if file.startswith(f"{ONE_SESSION}/") and file not in LONGEST:
        return ONE_SESSION
    return file


def rank(nodeid: str) -> int:
    """Give a test's place in the order."""
    unit = unit_of(nodeid)
    return LONGEST.index(unit) if unit in LONGEST else len(LONGEST)


class LongestFirst(LoadFileScheduling):
    """Hands out files in the order of the collection, the folder of one session as one."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests, of one process too."""
    items.sort(key=lambda item: rank(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LongestFirst:
    """Hand out tests in the order of their collection."""
    config.option.loadscopereorder = False
    return LongestFirst(config, log)
