"""Where requests to the process that writes a lake are left, and its answers are found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cdcctl.operations.target import Target
from glue_job.requests import ANSWER, STOP, Answer, Request


class Mailbox(Protocol):
    """Takes a request, and has its answer once the owner of the lake has come to it."""

    def leave(self, request: Request) -> None:
        """Leave a request."""

    def answer_to(self, request_id: str) -> Answer | None:
        """Read the answer; None while there is none."""

    def place_of(self, request_id: str) -> str:
        """Say where the answer will be."""


@dataclass(frozen=True)
class FolderMailbox:
    """The folder `requests` of a lake on this machine."""

    folder: Path

    def leave(self, request: Request) -> None:
        """Write the request's file whole."""
        self._write(f"{request.id}.json", request.as_json())

    def answer(self, request_id: str, answer: Answer) -> None:
        """Write the answer of a request that was carried out here."""
        self._write(f"{request_id}{ANSWER}", answer.as_json())

    def answer_to(self, request_id: str) -> Answer | None:
        """Read the answer's file."""
        file = self.folder / f"{request_id}{ANSWER}"
        return Answer.from_json(file.read_text(encoding="utf-8")) if file.exists() else None

    def place_of(self, request_id: str) -> str:
        """Name the answer's file."""
        return str(self.folder / f"{request_id}{ANSWER}")

    def _write(self, name: str, text: str) -> None:
        from cdcctl.local.layout import write_whole

        self.folder.mkdir(exist_ok=True)
        write_whole(self.folder / name, text)


@dataclass(frozen=True)
class BucketMailbox:
    """The prefix `requests/` of a stack's assets bucket."""

    target: Target

    def leave(self, request: Request) -> None:
        """Put the request."""
        self._put(f"{request.id}.json", request.as_json())

    def ask_to_stop(self, run_id: str) -> None:
        """Ask one run of the job to end after its batches."""
        self._put(STOP, run_id)

    def answer_to(self, request_id: str) -> Answer | None:
        """Get the answer."""
        from cdcctl.aws import s3

        target = self.target
        body = s3.read(target.aws, target.names.assets_bucket, f"requests/{request_id}{ANSWER}")
        return None if body is None else Answer.from_json(body.decode("utf-8"))

    def place_of(self, request_id: str) -> str:
        """Name the answer's object."""
        return f"s3://{self.target.names.assets_bucket}/requests/{request_id}{ANSWER}"

    def _put(self, name: str, text: str) -> None:
        self.target.aws.call(
            "s3",
            "put_object",
            Bucket=self.target.names.assets_bucket,
            Key=f"requests/{name}",
            Body=text.encode(),
        )
