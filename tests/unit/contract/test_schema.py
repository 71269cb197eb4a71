"""The JSON Schema, and that the loader accepts what it accepts."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glue_job.contract.schema import json_schema, rendered_schema
from glue_job.contract.shape import check_shape
from glue_job.contract.yaml_source import parse
from glue_job.metrics import METRICS
from glue_job.rules import RULES
from glue_job.transforms import TRANSFORMS
from tests.unit.contract.test_cases import ALL_CASES, Case
from tests.unit.contract.test_yaml_source import plain

CONFIG = Path(__file__).parents[3] / "config"
VALIDATOR = jsonschema.Draft7Validator(json_schema())


def test_the_checked_in_schema_is_current() -> None:
    text = (CONFIG / "tables.schema.json").read_text(encoding="utf-8")
    assert text == rendered_schema(), "run `cdcctl schema --write config/tables.schema.json`"


def test_the_schema_is_valid_draft_07() -> None:
    jsonschema.Draft7Validator.check_schema(json_schema())


def test_every_rule_transform_and_metric_is_in_the_schema_with_its_parameters() -> None:
    definitions = json_schema()["definitions"]
    for definition, key, registry in (
        ("rule", "type", RULES),
        ("transform", "type", TRANSFORMS),
        ("check", "metric", METRICS),
    ):
        assert definitions[definition]["properties"][key]["enum"] == list(registry.names())
        described = {
            entry["if"]["properties"][key]["const"]: entry["then"]["properties"]["params"]
            for entry in definitions[definition]["allOf"]
            if "properties" in entry["then"]
        }
        for cls in registry:
            expected = {name for name, _ in cls.params}
            assert set(described[cls.type].get("properties", {})) == expected


def seen_by_the_schema(case: Case) -> bool:
    """Tell whether a case is YAML, and read alike by YAML 1.1 and 1.2."""
    is_yaml = not case.name.startswith("yaml:")
    return is_yaml and all(code != "CFG010" for _, _, code, _ in case.expected)


SEEN_BY_THE_SCHEMA = [case for case in ALL_CASES if seen_by_the_schema(case)]


@pytest.mark.parametrize("case", SEEN_BY_THE_SCHEMA, ids=lambda case: case.name)
def test_loader_and_schema_agree_on_faulty_configs(case: Case) -> None:
    root = parse(case.text)
    report = check_shape(root)
    assert VALIDATOR.is_valid(plain(root)) == (report.errors == 0)


@pytest.mark.parametrize("file", sorted(CONFIG.glob("*.yaml")), ids=lambda file: file.name)
def test_the_examples_satisfy_the_schema(file: Path) -> None:
    VALIDATOR.validate(plain(parse(file.read_text(encoding="utf-8"))))


EXAMPLES = [
    plain(parse(file.read_text(encoding="utf-8"))) for file in sorted(CONFIG.glob("*.yaml"))
]
VALUES = st.sampled_from(
    [None, True, False, 0, 1, -1, 0.5, 5.0, "", "x", "id", "range", "s3://a/b", [], [1], ["id"], {}]
)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """An example with one value replaced, one key removed, or one added."""
    document = copy.deepcopy(draw(st.sampled_from(EXAMPLES)))
    node = document
    for _ in range(draw(st.integers(0, 6))):
        children = list(node.values()) if isinstance(node, dict) else list(node)
        inner = [child for child in children if isinstance(child, dict | list) and child]
        if not inner:
            break
        node = draw(st.sampled_from(inner))
    key = draw(st.sampled_from(list(node) if isinstance(node, dict) else list(range(len(node)))))
    match draw(st.sampled_from(["replace", "remove", "add"])):
        case "replace":
            node[key] = draw(VALUES)
        case "remove":
            del node[key]
        case "add" if isinstance(node, dict):
            names = ["x", "params", "column", "internal", "order", "min", "primary_key"]
            node[draw(st.sampled_from(names))] = draw(VALUES)
        case _:
            node.append(draw(VALUES))
    return document


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_loader_and_schema_agree_on_mutated_examples(document: Any) -> None:
    root = parse(json.dumps(document))
    errors = [error.message for error in VALIDATOR.iter_errors(plain(root))]
    report = check_shape(root)
    assert (report.errors > 0) == bool(errors), (report.faults, errors)
