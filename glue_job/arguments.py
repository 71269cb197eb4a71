"""What the job is started with, on Glue (`--NAME value` pairs) and on a laptop."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from glue_job.consent import Consent

_CONSENTS = {
    "allow_quarantine": "that the circuit breaker lets pass in this run",
    "accept_lost_offsets": "that go on where messages are missing for good",
    "retake": "whose begun batch is taken again under the current config",
}


@dataclass(frozen=True)
class Arguments:
    """The job's arguments; what is None comes from the config or the AWS APIs."""

    config: str
    job_name: str = "cdcctl"
    run_id: str | None = None
    lake: str | None = None
    bootstrap_servers: str | None = None
    msk_cluster_arn: str | None = None
    secret_arn: str | None = None
    security_protocol: str | None = None
    sasl_username: str | None = None
    sasl_password_file: Path | None = None
    checkpoint: str | None = None
    trigger_seconds: float | None = None
    stop_file: Path | None = None
    state_file: Path | None = None
    local_cores: int | None = None
    spark_jars: str = ""
    requests: str | None = None
    alert_topic: str | None = None
    code_hash: str = ""
    consent: Consent = field(default_factory=Consent)


def parse(argv: Sequence[str]) -> Arguments:
    """Read the command line; Glue adds arguments of its own, which are passed over."""
    parser = argparse.ArgumentParser(prog="python -m glue_job", allow_abbrev=False)
    parser.add_argument("--config", required=True, help="tables.yaml, a path or s3:// address")
    parser.add_argument("--JOB_NAME", dest="job_name", default="cdcctl")
    parser.add_argument("--JOB_RUN_ID", dest="run_id", help="this run, as Glue names it")
    parser.add_argument("--lake", help="a folder that takes the place of the config's buckets")
    parser.add_argument("--bootstrap-servers", help="brokers; else asked of MSK")
    parser.add_argument("--msk-cluster-arn", help="the cluster whose brokers are asked for")
    parser.add_argument("--secret-arn", help="the secret that holds the Kafka user's password")
    parser.add_argument("--security-protocol", choices=("SASL_SSL", "SASL_PLAINTEXT"))
    parser.add_argument("--sasl-username")
    parser.add_argument("--sasl-password-file", type=Path)
    parser.add_argument("--checkpoint", help="a folder that takes the place of the config's")
    parser.add_argument("--trigger-seconds", type=float)
    parser.add_argument("--stop-file", type=Path, help="the job ends when this file appears")
    parser.add_argument("--state-file", type=Path, help="rewritten after every batch")
    parser.add_argument("--requests", help="folder of what cdcctl asks of the running job")
    parser.add_argument("--alert-topic", help="the SNS topic that is told of problems")
    parser.add_argument("--code-hash", default="", help="the hash of this code, for what is told")
    for name, meaning in _CONSENTS.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=lambda names: tuple(filter(None, names.split(","))),
            default=(),
            help=f"tables, by comma, {meaning}",
        )
    known, _ = parser.parse_known_args(argv)
    values = vars(known)
    consent = Consent(**{name: values.pop(name) for name in _CONSENTS})
    on_laptop = values["lake"] is not None
    return Arguments(
        **values,
        consent=consent,
        local_cores=int(os.environ.get("CDCCTL_CORES", "2")) if on_laptop else None,
        spark_jars=os.environ.get("CDCCTL_SPARK_JARS", ""),
    )
