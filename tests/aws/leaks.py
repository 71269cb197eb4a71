"""Where a secret could come to light, and whether one does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fakeaws.fixture import FakeAws

_EVERY_SECONDS = 0.1


@contextmanager
def process_arguments() -> Iterator[set[str]]:
    """Collect the arguments of every process that runs meanwhile."""
    seen: set[str] = set()
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(_EVERY_SECONDS):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(file.read_bytes().decode(errors="replace"))
                except OSError:
                    # The process has ended meanwhile.
                    continue

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        is_over.set()
        watcher.join()


def passwords(fake_aws: FakeAws) -> dict[str, str]:
    """Give the password in each secret of the account."""
    client = fake_aws.client("secretsmanager")
    held = {}
    for listed in client.list_secrets()["SecretList"]:
        text = client.get_secret_value(SecretId=listed["ARN"])["SecretString"]
        held[listed["Name"]] = str(json.loads(text)["password"])
    return held


def stack_documents(fake_aws: FakeAws, *stacks: str) -> str:
    """Give what CloudFormation tells of stacks: parameters, outputs, templates, every event."""
    client = fake_aws.client("cloudformation")
    told: list[object] = []
    for name in stacks:
        told += [client.describe_stacks(StackName=name), client.get_template(StackName=name)]
        told += client.get_paginator("describe_stack_events").paginate(StackName=name)
    return json.dumps(told, default=str)


def texts_of(folder: Path) -> str:
    """Give all files of a folder as one text."""
    return "\n".join(
        file.read_text(encoding="utf-8", errors="replace")
        for file in folder.rglob("*")
        if file.is_file()
    )


def told_passwords(held: dict[str, str], surfaces: dict[str, str]) -> list[str]:
    """Name each secret whose password stands where it must not."""
    return [
        f"{name} in {place}"
        for place, text in surfaces.items()
        for name, password in held.items()
        if password in text
    ]
