"""CloudWatch's embedded metric format: a line of the log from which CloudWatch takes metrics."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime

from glue_job.contract.telemetry import METRICS, NAMESPACE


def spelled(
    at: datetime,
    dimensions: Mapping[str, str],
    metrics: Mapping[str, float | None],
    properties: Mapping[str, object],
) -> str:
    """Spell one line; a metric without a value is left out, properties are for searches.

    Source: CloudWatch User Guide, "Specification: Embedded metric format".
    """
    known = {name: value for name, value in metrics.items() if value is not None}
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": METRICS[name]} for name in known],
    }
    return json.dumps(
        {
            "_aws": {"Timestamp": int(at.timestamp() * 1000), "CloudWatchMetrics": [directive]},
            **dimensions,
            **known,
            **properties,
        }
    )


def write(line: str) -> None:
    """Write a line to standard output, which is a log stream on Glue and a log file on a laptop."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
