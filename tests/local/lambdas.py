"""Imports the Lambdas' own files and gives them clients that answer from memory."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path("templates/lambdas")


def load(name: str) -> ModuleType:
    """Import a function as Lambda does: its folder and the shared one are on the path."""
    path = [str(FOLDER / "shared"), str(FOLDER / name)]
    sys.path[:0] = path
    try:
        spec = importlib.util.spec_from_file_location(
            f"lambda_{name.replace('-', '_')}", FOLDER / name / "index.py"
        )
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        del sys.path[: len(path)]


class Assets:
    """An assets bucket in memory."""

    def __init__(self) -> None:
        """Begin empty."""
        self.objects: dict[str, bytes] = {}

    def put(self, content: Any, key: str = "config/abc/file.json") -> dict[str, str]:
        """Keep an artefact; give the part of an event that names it."""
        body = json.dumps(content).encode()
        self.objects[key] = body
        return {"bucket": "assets", "key": key, "sha256": hashlib.sha256(body).hexdigest()}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        """Answer as S3 does."""
        return {"Body": io.BytesIO(self.objects[Key])}


class Secrets:
    """Secrets in memory, by name."""

    def __init__(self, **held: Mapping[str, str]) -> None:
        """Take users and passwords."""
        self._held = held

    def get_secret_value(self, *, SecretId: str) -> dict[str, str]:
        """Answer as Secrets Manager does."""
        return {"SecretString": json.dumps(dict(self._held[SecretId]))}
