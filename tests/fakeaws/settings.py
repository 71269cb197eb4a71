"""What a test has set for its account: time, failures, the real processes behind the services."""

from __future__ import annotations

import os
import time
from typing import Any

from ministack.core.responses import get_account_id

DEFAULTS: dict[str, Any] = {
    "speed": float(os.environ.get("FAKE_SPEED", "0")),
    "rds_host": os.environ.get("FAKE_RDS_HOST"),
    "rds_port": os.environ.get("FAKE_RDS_PORT"),
    "rds_password": os.environ.get("FAKE_RDS_PASSWORD"),
    "rds_username": os.environ.get("FAKE_RDS_USERNAME"),
    "kafka_bootstrap": os.environ.get("FAKE_KAFKA_BOOTSTRAP"),
    "glue_python": os.environ.get("FAKE_GLUE_PYTHON"),
    "glue_jars": os.environ.get("FAKE_GLUE_JARS", ""),
    "glue_conf": {},
    "glue_arguments": {},
    "lambda_env": {},
    "kafka_admin": None,
    "glue_env": {},
    "dms_capture": os.environ.get("FAKE_DMS_CAPTURE"),
    "dms_tables": None,
    "lambda_interfaces": False,
    "quotas": {},
    "rds_backups": [],
}
"""`speed` is the seconds that one minute of a real resource's creation takes here.

`lambda_env` and `glue_arguments` take the place of what a template sets where the local servers
differ from AWS: they speak without TLS. `kafka_admin` is how the users of SCRAM secrets are made.
"""

_of_account: dict[str, dict[str, Any]] = {}
_of_all: dict[str, Any] = {}
_failures: dict[str, dict[str, Any]] = {}

EVERY_ACCOUNT = ""


def setting(name: str) -> Any:
    """Give a setting as the calling account has it."""
    mine = _of_account.get(get_account_id(), {})
    return mine.get(name, _of_all.get(name, DEFAULTS[name]))


def change(account: str, values: dict[str, Any]) -> None:
    """Set values for one account, or for all of them."""
    unknown = values.keys() - DEFAULTS.keys()
    if unknown:
        raise ValueError(f"no such setting: {', '.join(sorted(unknown))}")
    (_of_all if account == EVERY_ACCOUNT else _of_account.setdefault(account, {})).update(values)


def set_failures(account: str, failures: dict[str, Any]) -> None:
    """Say what fails in an account from now on, in place of what failed before."""
    _failures[account] = dict(failures)


def failure(*names: str) -> str | None:
    """Give the reason the first of these names is to fail; a counted one is used up."""
    for account in (get_account_id(), EVERY_ACCOUNT):
        of_account = _failures.get(account, {})
        for name in names:
            match of_account.get(name):
                case None:
                    continue
                case str() as reason:
                    return reason
                case {"reason": reason, "times": times}:
                    if times <= 1:
                        del of_account[name]
                    else:
                        of_account[name] = {"reason": reason, "times": times - 1}
                    return str(reason)
    return None


def forget(account: str) -> None:
    """Take an account, or everything, back to the defaults."""
    if account == EVERY_ACCOUNT:
        _of_account.clear()
        _of_all.clear()
        _failures.clear()
    _of_account.pop(account, None)
    _failures.pop(account, None)


def due(minutes: float = 1.0) -> float:
    """Give the time at which something that takes so many minutes on AWS is over."""
    return time.time() + minutes * float(setting("speed"))


def pass_minutes(minutes: float) -> None:
    """Wait as long as so many of AWS's minutes take here."""
    time.sleep(minutes * float(setting("speed")))
