"""Names of what the job tells of each table: CloudWatch metrics, and the lines that carry them."""

from __future__ import annotations

NAMESPACE = "cdcctl"
DIMENSIONS = ("stack", "table")
LOCAL_STACK = "local"
"""The value of `stack` where no stack is deployed."""

LINE_START = '{"_aws"'
"""How a line of metrics begins, among other lines of a log."""

METRICS = {
    "consumed": "Count",
    "applied": "Count",
    "quarantined": "Count",
    "late": "Count",
    "lateness_seconds": "Seconds",
    "versions_opened": "Count",
    "versions_closed": "Count",
    "breached": "Count",
    "batch_seconds": "Seconds",
    "source_to_lake_seconds": "Seconds",
    "lag_messages": "Count",
    "lag_seconds": "Seconds",
    "failures": "Count",
    "problems": "Count",
    "running": "Count",
}
"""Each metric with its CloudWatch unit; `running` is of the whole job, and has no table."""
