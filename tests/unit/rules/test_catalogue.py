"""What every rule, transform and metric owes its users, and what is generated from it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.catalogue import catalogue, markdown
from cdcctl.ui.output import schema_of
from glue_job import metrics, rules, transforms
from glue_job.metrics import METRICS
from glue_job.parameters import Configurable, Params, Text
from glue_job.registry import Registry
from glue_job.rules import RULES
from glue_job.transforms import TRANSFORMS

ROOT = Path(__file__).parents[3]
CLASSES = [*RULES, *TRANSFORMS, *METRICS]
PACKAGES = [rules, transforms, metrics]
NOT_ENTRIES = {"__init__", "base", "predicate"}


def names(classes: list[type[Configurable]]) -> list[str]:
    return [f"{cls.__module__.split('.')[1]}-{cls.type}" for cls in classes]


def test_the_blueprint_has_what_it_names() -> None:
    assert {"range", "allowed_values", "regex", "not_null", "length"} <= set(RULES.names())
    assert set(TRANSFORMS.names()) == {
        *("trim", "lower", "upper", "round", "mask_pii", "cast", "default_value", "hash"),
    }
    assert set(METRICS.names()) == {"completeness", "uniqueness", "compliance", "size"}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_one_file_holds_one_class_of_the_same_name(package: object) -> None:
    folder = Path(package.__file__).parent  # type: ignore[attr-defined]  # a package has a file
    files = {path.stem for path in folder.glob("*.py")} - NOT_ENTRIES
    module = f"glue_job.{folder.name}"
    registered = {cls.type: cls.__module__ for cls in CLASSES if cls.__module__.startswith(module)}
    assert registered == {name: f"{module}.{name}" for name in files}


@pytest.mark.parametrize("cls", CLASSES, ids=names(CLASSES))
def test_a_class_is_documented(cls: type[Configurable]) -> None:
    assert cls.summary().endswith(".")
    assert all(param.description for _, param in cls.params)


@pytest.mark.parametrize("cls", CLASSES, ids=names(CLASSES))
def test_examples_fit_the_schema_of_the_parameters(cls: type[Configurable]) -> None:
    schema = cls.params.json_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    for example in cls.examples:  # type: ignore[attr-defined]  # each kind has its own
        jsonschema.validate(dict(example.params), schema)
        cls(example.params)


@pytest.mark.parametrize("cls", list(RULES), ids=RULES.names())
def test_a_rule_has_examples_both_ways(cls: type[rules.Rule]) -> None:
    assert any(example.accepts for example in cls.examples)
    assert any(example.rejects for example in cls.examples)


@pytest.mark.parametrize("cls", list(TRANSFORMS), ids=TRANSFORMS.names())
def test_a_transform_has_an_example(cls: type[transforms.TransformStep]) -> None:
    assert any(example.changes for example in cls.examples)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_a_module_imports_spark_in_methods_only(package: object) -> None:
    folder = Path(package.__file__).parent  # type: ignore[attr-defined]  # a package has a file
    for path in folder.glob("*.py"):
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            imported = (
                ast.unparse(statement) if isinstance(statement, ast.Import | ast.ImportFrom) else ""
            )
            assert "pyspark" not in imported, path
            assert "pydeequ" not in imported, path


def test_importing_all_of_them_loads_neither_spark_nor_deequ() -> None:
    code = (
        "import sys, glue_job.rules, glue_job.transforms, glue_job.metrics;"
        "sys.exit(bool({'pyspark', 'pydeequ', 'boto3'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_name_clash_is_refused() -> None:
    registry: Registry[Configurable] = Registry("rule")

    @registry.register
    class First(Configurable):
        """First."""

        type = "same"

    class Second(Configurable):
        """Second."""

        type = "same"

    with pytest.raises(ValueError, match="rule `same` is both First and Second"):
        registry.register(Second)
    assert registry.get("same") is First
    assert "same" in registry
    with pytest.raises(KeyError):
        registry.build("other")


def test_parameters_become_attributes_with_their_defaults() -> None:
    mask = TRANSFORMS.build("mask_pii", {"keep": "last"})
    assert (mask.keep, mask.visible_chars) == ("last", 4)  # type: ignore[attr-defined]  # set by params


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("range", {}, "at least one of `min` and `max` must be given"),
        ("range", {"min": True}, "`min` must be a number, date or timestamp"),
        ("range", {"mn": 1, "max": 1}, "`mn` is not a parameter"),
        ("allowed_values", {}, "`values` is missing"),
        ("allowed_values", {"values": []}, "`values` must be a list of at least one"),
        ("allowed_values", {"values": [None]}, "`values` must be a list of at least one"),
        ("length", {"min": -1}, "`min` must be a whole number of at least 0"),
        ("length", {"min": 1.5}, "`min` must be a whole number"),
        ("regex", {"pattern": ""}, "`pattern` must be a text"),
        ("regex", {"pattern": "a", "max_length": 0}, "`max_length` must be a whole number from 1"),
        ("castable", {"to": "int"}, "`to` must be a column type"),
        ("vin", {"check_digit": "yes"}, "`check_digit` must be true or false"),
        ("not_null", {"x": 1}, "known parameters: none|`x` is not a parameter"),
    ],
)
def test_unfit_parameters_are_refused(name: str, params: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RULES.build(name, params)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(params, RULES.get(name).params.json_schema())


def test_the_schema_of_parameters_says_everything() -> None:
    params = Params(a=Text("first", required=True), b=Text("second", default="x"))
    assert params.json_schema() == {
        "type": "object",
        "properties": {
            "a": {"type": "string", "minLength": 1, "description": "first"},
            "b": {"type": "string", "minLength": 1, "description": "second", "default": "x"},
        },
        "additionalProperties": False,
        "required": ["a"],
    }


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: f"{entry.kind}-{entry.name}")
def test_the_yaml_of_an_entry_is_what_its_class_takes(entry: object) -> None:
    (shown,) = yaml.safe_load(entry.yaml)  # type: ignore[attr-defined]  # a catalogue entry
    kinds = {"rule": RULES, "transform": TRANSFORMS, "metric": METRICS}
    registry = kinds[entry.kind]  # type: ignore[attr-defined]  # a catalogue entry
    registry.build(shown.get("type") or shown["metric"], shown.get("params"))


def test_an_unknown_name_gives_the_nearest_one() -> None:
    with pytest.raises(CdcctlError, match="no rule, transform or metric `rnge`") as raised:
        catalogue("rnge")
    assert raised.value.why == "did you mean `range`?"
    assert raised.value.exit_code == ExitCode.NOT_FOUND


def run_cdcctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cdcctl", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


def test_rules_are_listed_by_kind() -> None:
    shown = run_cdcctl("rules")
    assert shown.returncode == 0
    for cls in CLASSES:
        assert f"\n{cls.type} " in shown.stdout


def test_the_whole_catalogue_has_the_shipped_shape() -> None:
    document = json.loads(run_cdcctl("rules", "-o", "json").stdout)
    jsonschema.validate(document, schema_of("rules/v1"))
    assert len(document["data"]) == len(CLASSES)


def test_one_rule_is_shown_as_data() -> None:
    shown = run_cdcctl("rules", "range", "-o", "json")
    document = json.loads(shown.stdout)
    assert document["schema"] == "cdcctl/rules/v1"
    (entry,) = document["data"]
    assert (entry["kind"], entry["name"], entry["nulls"]) == ("rule", "range", "pass")
    assert [parameter["name"] for parameter in entry["parameters"]] == ["min", "max"]
    assert entry["examples"][0]["accepts"] == [0.0, 350.0]


def test_the_table_of_the_readme_is_current() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    begin, end = "<!-- rules:begin -->\n", "<!-- rules:end -->"
    assert begin in readme, "README.md lacks the marks of the table"
    table = readme.partition(begin)[2].partition(end)[0]
    assert table.strip() == markdown(catalogue()).strip(), "cdcctl rules --markdown prints it"
