"""The JSON Schema of tables.yaml as a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdcctl.errors import CdcctlError, ExitCode
from cdcctl.operations.catalogue import spell, spell_params
from glue_job.contract.schema import json_schema, rendered_schema

DEFAULT_SCHEMA_FILE = Path("config/tables.schema.json")


@dataclass(frozen=True)
class SchemaReport:
    """The schema's text, and whether the file held it before."""

    text: str
    file: Path | None = None
    was_current: bool = False


def config_schema() -> SchemaReport:
    """Generate the schema from the classes of rules, transforms and metrics."""
    return SchemaReport(rendered_schema())


def write_config_schema(file: Path) -> SchemaReport:
    """Bring a file up to date; one that is current is left alone."""
    text = rendered_schema()
    was_current = _text_of(file) == text
    if not was_current:
        try:
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise _unusable(file, error) from None
    return SchemaReport(text, file, was_current)


def check_config_schema(file: Path) -> SchemaReport:
    """Raise when a file does not hold the schema."""
    text = rendered_schema()
    held = _text_of(file)
    if held != text:
        raise CdcctlError(
            "USE009",
            f"{file} does not exist" if held is None else f"{file} is not the current schema",
            fix=f"cdcctl schema --write {file}",
            exit_code=ExitCode.FAILED,
        )
    return SchemaReport(text, file, was_current=True)


def reference_markdown() -> str:
    """Give the reference of README.md: every key of tables.yaml, section by section."""
    lines = []
    for section, properties, needed in _sections(json_schema(), ""):
        lines += [f"**{section}**", "", "| key | type | default | meaning | example |"]
        lines.append("|---|---|---|---|---|")
        for name, given in properties.items():
            default = spell(given["default"]) if "default" in given else ""
            cells = (
                f"`{name}`",
                _kind(given),
                "needed" if name in needed else default and f"`{default}`",
                given.get("title", given["description"]).replace("|", "\\|"),
                f"`{_example(given)}`",
            )
            lines.append(f"| {' | '.join(cells)} |".replace("  ", " "))
        lines.append("")
    return "\n".join(lines)


def _sections(
    schema: Mapping[str, Any], path: str
) -> Iterator[tuple[str, dict[str, dict[str, Any]], set[str]]]:
    """Give each mapping of the file that has keys with plain values, and those keys, merged."""
    properties = {name: _merged(sub) for name, sub in schema["properties"].items()}
    plain = {name: sub for name, sub in properties.items() if not _nested(sub)}
    conditional = [each.get("else", {}).get("required", ()) for each in schema.get("allOf", ())]
    if plain:
        needed = {*schema.get("required", ()), *(name for names in conditional for name in names)}
        yield path, plain, needed
    for name, sub in properties.items():
        inner = _nested(sub)
        if inner is not None:
            mark = "[]" if sub["type"] == "array" else ""
            yield from _sections(inner, f"{path}.{name}{mark}".removeprefix("."))


def _nested(given: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Give the mapping that a key holds, or that each item of its list is."""
    inner = _merged(given["items"]) if "items" in given else given
    return inner if "properties" in inner else None


def _merged(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Resolve a reference; what stands beside it counts before what it refers to."""
    merged = dict(schema)
    for each in (schema, *schema.get("allOf", ())):
        if "$ref" in each:
            name = each["$ref"].rpartition("/")[2]
            merged = {**json_schema()["definitions"][name], **merged}
    return merged


def _kind(given: Mapping[str, Any]) -> str:
    if "title" in given:
        return "name, see `cdcctl rules`"
    if "enum" in given:
        return ", ".join(f"`{each}`" for each in given["enum"])
    kinds = [given["type"]] if isinstance(given["type"], str) else given["type"]
    words = {"array": "list", "string": "text", "object": "mapping"}
    return " or ".join(words.get(kind, kind) for kind in kinds)


def _example(given: Mapping[str, Any]) -> str:
    if "enum" in given and "examples" not in given:
        value = next(each for each in given["enum"] if each != given.get("default"))
    elif given["type"] == "boolean":
        value = not given["default"]
    else:
        (value,) = given["examples"]
    if isinstance(value, dict):
        return spell_params(value)
    if isinstance(value, list):
        return f"[{', '.join(value)}]"
    return value if isinstance(value, str) else spell(value)


def _text_of(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return ""
    except OSError as error:
        raise _unusable(file, error) from None


def _unusable(file: Path, error: OSError) -> CdcctlError:
    return CdcctlError(
        "USE009",
        f"{file} cannot be used for the schema",
        why=str(error.strerror),
        fix="cdcctl schema --write FILE",
        exit_code=ExitCode.USAGE,
    )
