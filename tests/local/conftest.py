from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.running_stack import RunningStack, started

CONFIG = Path(__file__).with_name("tables.yaml")

FIRST_ROWS = """
INSERT INTO kinds VALUES
  (1, 9007199254740993, 12345678901234567890.1234567890,
   1234567890123456789012345678901234567890.10, 0.1, true,
   '2024-02-03 04:05:06.789+01', '2024-02-03 04:05:06', '2024-02-03', '04:05:06',
   -1234.5, '{"a": [1, "ü"]}', '\\x80057d942e', '{a,"b c"}'),
  (2, NULL, NULL, NULL, 'NaN', false, 'infinity', '-infinity', NULL, NULL, NULL, NULL, NULL, NULL)
"""


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """PostgreSQL, Kafka and the capture; no job."""
    with started(tmp_path_factory.mktemp("stack"), CONFIG) as stack:
        yield stack
