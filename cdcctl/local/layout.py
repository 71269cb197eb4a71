"""Where the parts of a local stack keep their files: one folder for all."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

DEFAULT_DIRECTORY = Path(".cdcctl/local")
MARKER = "cdcctl-local-stack"


@dataclass(frozen=True)
class StackDirectory:
    """The folder of one local stack."""

    root: Path

    @classmethod
    def resolve(cls, given: Path | None = None) -> StackDirectory:
        """Take --dir, else CDCCTL_LOCAL_DIR, else `.cdcctl/local` below the working directory."""
        chosen = given or Path(os.environ.get("CDCCTL_LOCAL_DIR") or DEFAULT_DIRECTORY)
        return cls(chosen.expanduser().absolute())

    def create(self) -> None:
        """Make the folder and mark it as one that `local reset` may remove."""
        for folder in (self.root, self.logs, self.run, self.secrets):
            folder.mkdir(parents=True, exist_ok=True)
        self.secrets.chmod(0o700)
        (self.root / MARKER).touch()

    @property
    def is_stack(self) -> bool:
        """Tell whether a stack was ever made here."""
        return (self.root / MARKER).is_file()

    @property
    def logs(self) -> Path:
        """Hold one log file per child process."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """Hold the state of the running processes."""
        return self.root / "run"

    @property
    def secrets(self) -> Path:
        """Hold generated passwords, readable by the owner only."""
        return self.root / "secrets"

    @property
    def lock(self) -> Path:
        """Name the file that the running supervisor keeps locked."""
        return self.run / "supervisor.lock"

    @property
    def state(self) -> Path:
        """Name the file in which the supervisor tells how the stack is."""
        return self.run / "state.json"

    @property
    def postgres_data(self) -> Path:
        """Hold the PostgreSQL cluster."""
        return self.root / "postgres"

    @property
    def broker(self) -> Path:
        """Hold the broker's settings and its log segments."""
        return self.root / "broker"

    @property
    def capture(self) -> Path:
        """Hold the capture's state and its control files."""
        return self.root / "capture"

    @property
    def lake(self) -> Path:
        """Hold the lake, in the layout of `LakePaths.below`."""
        return self.root / "lake"

    @property
    def checkpoints(self) -> Path:
        """Hold the streaming checkpoints of the job."""
        return self.root / "checkpoints"

    @property
    def job_state(self) -> Path:
        """Name the file in which the job tells how its tables are."""
        return self.run / "job-state.json"

    @property
    def job_stop(self) -> Path:
        """Name the file whose presence asks the job to end after its batch."""
        return self.run / "job-stop"

    @property
    def kafka_password(self) -> Path:
        """Name the file with the SCRAM password."""
        return self.secrets / "kafka-password"

    @property
    def postgres_password(self) -> Path:
        """Name the file with the password of the database's owner."""
        return self.secrets / "postgres-password"

    def password(self, file: Path) -> str:
        """Read a password, generating it at first use."""
        if not file.exists():
            write_private(file, secrets.token_urlsafe(24))
        return file.read_text(encoding="utf-8")


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text)
    part.replace(file)


def write_whole(file: Path, text: str) -> None:
    """Write a file so that a reader sees the old or the new text, never a part."""
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(file)
