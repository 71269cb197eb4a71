"""The folder in which an operator leaves requests, and finds the answers."""

from __future__ import annotations

import logging

from pyspark.sql import SparkSession

from glue_job.edge import files
from glue_job.errors import JobError
from glue_job.requests import ANSWER, STOP, Answer, Request

log = logging.getLogger("glue_job.mailbox")


class Mailbox:
    """Requests that have no answer yet, oldest first, and a place for answers."""

    def __init__(self, spark: SparkSession, folder: str) -> None:
        """Name the folder, which need not exist."""
        self._spark = spark
        self._folder = folder.rstrip("/")

    def pending(self) -> list[Request]:
        """Read the requests without an answer; one that cannot be read is answered so."""
        names = set(files.names(self._spark, self._folder))
        found = []
        for name in sorted(names):
            if not name.endswith(".json") or name.endswith(ANSWER) or name.startswith("."):
                continue
            request_id = name.removesuffix(".json")
            if f"{request_id}{ANSWER}" in names:
                continue
            text = files.read_text(self._spark, f"{self._folder}/{name}")
            try:
                found.append(Request.from_json(text or "", name))
            except JobError as error:
                log.error("%s", error)
                self._write(request_id, Answer.failed(error))
        return found

    def is_asked_to_stop(self, run_id: str | None) -> bool:
        """Tell whether the file `stop` names this run: another run's wish does not count."""
        if run_id is None:
            return False
        text = files.read_text(self._spark, f"{self._folder}/{STOP}")
        return text is not None and text.strip() == run_id

    def reply(self, request: Request, answer: Answer) -> None:
        """Answer a request."""
        self._write(request.id, answer)

    def _write(self, request_id: str, answer: Answer) -> None:
        files.write_text(self._spark, f"{self._folder}/{request_id}{ANSWER}", answer.as_json())
