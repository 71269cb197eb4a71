"""What is said when a lake cannot be read."""

from __future__ import annotations

from cdcctl.errors import CdcctlError, ExitCode


def forbidden(what: str, error: Exception) -> CdcctlError:
    """Say that the operator may not read something."""
    return CdcctlError(
        "LAK004",
        f"{what} cannot be read",
        why=first_line(error),
        fix="run as a user who may read the lake's files",
        exit_code=ExitCode.CREDENTIALS,
    )


def first_line(error: Exception) -> str:
    """Give the first line of what the engine says, without its stack."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}"
    return next((line.strip() for line in str(error).splitlines() if line.strip()), repr(error))
