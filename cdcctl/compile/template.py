"""The CloudFormation templates with what tables.yaml decides set in, as objects, never as text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml

from cdcctl.compile.dms import source_settings, table_mappings, target_settings, task_settings
from cdcctl.shipped import shipped
from glue_job.contract.model import Pipeline

if TYPE_CHECKING or not yaml.__with_libyaml__:
    from yaml import SafeLoader
else:
    from yaml import CSafeLoader as SafeLoader

ONLY_BY_API = ("SaslMechanism", "SslEndpointIdentificationAlgorithm", "UseLargeIntegerValue")
"""Kafka endpoint settings that CloudFormation does not know: set by ModifyEndpoint."""
_OWN_USER = "SaslUsername"
"""DMS signs in as its own user, which the template names."""


@dataclass(frozen=True)
class Rendered:
    """A template as it is uploaded; `lines` tells where a resource stands in the file."""

    file: str
    body: str
    lines: Mapping[str, int]

    @property
    def sha(self) -> str:
        """Give the hash that names the upload."""
        return hashlib.sha256(self.body.encode()).hexdigest()[:16]

    @cached_property
    def document(self) -> dict[str, Any]:
        """Give the template as an object."""
        held: dict[str, Any] = json.loads(self.body)
        return held

    def line_of(self, logical_id: str) -> int | None:
        """Give the line of a resource; None when the template has none of this name."""
        return self.lines.get(logical_id)


def render_bootstrap() -> Rendered:
    """Give the template of the assets bucket and DMS's role."""
    document, lines = _read("bootstrap.yaml")
    return _rendered("bootstrap.yaml", document, lines)


def render_pipeline(
    pipeline: Pipeline, wheels: Sequence[str] = (), jars: Sequence[str] = ()
) -> Rendered:
    """Give the pipeline's template; wheels and jars are file names of the bundle."""
    document, lines = _read("pipeline.yaml")
    resources = document["Resources"]
    resources["ReplicationTask"]["Properties"] |= {
        "TableMappings": _text(table_mappings(pipeline)),
        "ReplicationTaskSettings": _text(task_settings()),
    }
    resources["SourceEndpoint"]["Properties"]["PostgreSqlSettings"] |= source_settings()
    resources["TargetEndpoint"]["Properties"]["KafkaSettings"] |= {
        name: value
        for name, value in target_settings(pipeline.kafka).items()
        if name not in (*ONLY_BY_API, _OWN_USER)
    }
    arguments = resources["GlueJob"]["Properties"]["DefaultArguments"]
    if wheels:
        arguments["--additional-python-modules"] = _addresses("wheels", wheels)
    if jars:
        arguments["--extra-jars"] = _addresses("jars", jars)
    return _rendered("pipeline.yaml", document, lines)


def settings_by_api(pipeline: Pipeline) -> dict[str, Any]:
    """Give the Kafka endpoint's settings that are set after the stack is there."""
    wanted = target_settings(pipeline.kafka)
    return {name: wanted[name] for name in ONLY_BY_API}


def _addresses(folder: str, names: Sequence[str]) -> dict[str, str]:
    base = "s3://${AssetsBucket}/code/${CodeHash}"
    return {"Fn::Sub": ",".join(f"{base}/{folder}/{name}" for name in sorted(names))}


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def _rendered(file: str, document: Mapping[str, Any], lines: Mapping[str, int]) -> Rendered:
    return Rendered(f"templates/{file}", json.dumps(document, indent=1, ensure_ascii=False), lines)


class _Loader(SafeLoader):
    """Reads CloudFormation's short tags as the long form that JSON has."""


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    match node:
        case yaml.ScalarNode():
            value: Any = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case _:
            value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]  # what is left
    if suffix == "GetAtt" and isinstance(value, str):
        resource, _, attribute = value.partition(".")
        value = [resource, attribute]
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _function)


def _read(name: str) -> tuple[dict[str, Any], dict[str, int]]:
    text = (shipped("templates") / name).read_text(encoding="utf-8")
    loader = _Loader(text)
    root = loader.get_single_node()
    assert isinstance(root, yaml.MappingNode)
    document: dict[str, Any] = loader.construct_document(root)
    resources = next(value for key, value in root.value if key.value == "Resources")
    return document, {key.value: key.start_mark.line + 1 for key, _ in resources.value}
