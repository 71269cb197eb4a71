"""Packages what a stack runs, and uploads what is not there yet."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cdcctl.aws import s3
from cdcctl.bundle import Bundle, build_bundle
from cdcctl.compile.template import Rendered, render_pipeline
from cdcctl.operations.configuration import LoadedConfig
from cdcctl.operations.target import Target

if TYPE_CHECKING:
    from cdcctl.ui.progress import Progress

CODE, MANIFEST = "code/", "manifest.json"
"""Below which folder each package has one of its own, and what in it stands for all of it."""
_UPLOADS_AT_ONCE = 8


@dataclass(frozen=True)
class Package:
    """What is deployed: code, config and template, each known by its hash."""

    bundle: Bundle
    config_body: bytes
    template: Rendered

    @property
    def code_hash(self) -> str:
        """Give the folder below `code/`."""
        return self.bundle.sha

    @property
    def config_hash(self) -> str:
        """Give the folder below `config/`."""
        return hashlib.sha256(self.config_body).hexdigest()[:16]

    @property
    def template_key(self) -> str:
        """Give the key of the rendered template."""
        return f"templates/{self.template.sha}.json"

    def objects(self) -> dict[str, bytes]:
        """Give every object by its key; the manifest comes last, so that it stands for all."""
        code = {f"{CODE}{self.code_hash}/{file.name}": file.body for file in self.bundle.files}
        manifest = self.bundle.manifest
        return {
            **code,
            f"{CODE}{self.code_hash}/{manifest.name}": manifest.body,
            f"config/{self.config_hash}/tables.yaml": self.config_body,
            self.template_key: self.template.body.encode(),
        }


def package(config: LoadedConfig, artifacts: Path | None, progress: Progress) -> Package:
    """Build the bundle and render the template for it."""
    bundle = build_bundle(progress, artifacts)
    template = render_pipeline(config.pipeline, bundle.names_in("wheels"), bundle.names_in("jars"))
    return Package(bundle, config.file.read_bytes(), template)


def upload(package: Package, target: Target, progress: Progress) -> int:
    """Upload what the assets bucket lacks; give how many objects were sent."""
    bucket = target.names.assets_bucket
    objects = package.objects()
    manifest = f"{CODE}{package.code_hash}/{MANIFEST}"
    waiting = dict(objects)
    if s3.exists(target.aws, bucket, manifest):
        waiting = {key: body for key, body in waiting.items() if not key.startswith(CODE)}
    progress.step(f"uploading to {bucket}")
    first = {key: body for key, body in waiting.items() if key != manifest}
    with ThreadPoolExecutor(max_workers=_UPLOADS_AT_ONCE) as pool:
        sent = sum(pool.map(lambda each: s3.put_missing(target.aws, bucket, *each), first.items()))
    if manifest in waiting:
        sent += s3.put_missing(target.aws, bucket, manifest, waiting[manifest])
    return sent
