"""Which process takes which tests when: what takes minutes first, so that both end together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

ONE_SESSION = "one Spark session"
SHARED = ("tests/spark/", "tests/benchmarks/", "tests/local/test_stream.py")
"""Where tests share a session, whose first batches take longest: one process takes them all."""
LONGEST = (
    "tests/aws/test_whole_pipeline.py",
    ONE_SESSION,
    "tests/spark/test_kills.py",
    "tests/spark/test_scenarios.py",
    "tests/spark/test_streams.py",
)
"""In this order; files named here run the job in processes of its own. The rest comes after."""


def unit_of(nodeid: str) -> str:
    """Name what a test is handed out with: its file, or all that share a session."""
    file = nodeid.partition("::")[0]
    return ONE_SESSION if file.startswith(SHARED) and file not in LONGEST else file


def rank(nodeid: str) -> int:
    """Give a test's place in the order."""
    unit = unit_of(nodeid)
    return LONGEST.index(unit) if unit in LONGEST else len(LONGEST)


class LongestFirst(LoadScopeScheduling):
    """Hands out files in the order of the collection, those that share a session as one."""

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
