"""The tool's own log: on stderr with -v, as JSON lines with --log-file, without secrets."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.redaction import redacted

_NOISY = ("botocore", "boto3", "urllib3", "s3transfer", "kafka", "py4j", "sqlglot")


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted(super().format(record)),
        }
        return json.dumps(entry, ensure_ascii=False)


def configure(verbosity: int, file: Path | None) -> None:
    """Set the log up: -v tells steps and calls to AWS, -vv what libraries say too."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if getattr(handler, "of_cdcctl", False):
            root.removeHandler(handler)
            handler.close()
    if not verbosity and file is None:
        root.setLevel(logging.WARNING)
        return
    handlers: list[logging.Handler] = []
    if verbosity:
        shown = logging.StreamHandler(sys.stderr)
        shown.setLevel(logging.INFO if verbosity == 1 else logging.DEBUG)
        shown.setFormatter(_Lines("%(asctime)s %(levelname)s %(name)s %(message)s"))
        handlers.append(shown)
    if file is not None:
        handlers.append(_file_handler(file))
    for handler in handlers:
        handler.of_cdcctl = True  # type: ignore[attr-defined]  # told apart from those of others
        root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for name in _NOISY:
        # The wire logs of botocore hold signatures and secrets: never below warnings.
        logging.getLogger(name).setLevel(logging.WARNING)


def _file_handler(file: Path) -> logging.Handler:
    try:
        handler = logging.FileHandler(file, encoding="utf-8")
    except OSError as error:
        raise CdcctlError(
            "USE043",
            f"the log file {file} cannot be written",
            why=error.strerror or str(error),
            fix="name another file with --log-file",
            exit_code=ExitCode.USAGE,
        ) from error
    handler.setFormatter(_Json("%(message)s"))
    return handler
