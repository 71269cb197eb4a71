"""Holds a YAML tree against the JSON Schema of tables.yaml, with the place of each fault.

The schema is compiled once into nested closures: the general jsonschema library takes longer for
a thousand tables than all the rest, and names faults by path only. Compiled is what `schema.py`
and the parameters of rules, transforms and metrics use of draft-07; any other keyword raises, so
that nothing in the schema goes unchecked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from glue_job.contract.finding import Fault, Place, did_you_mean, rules_command
from glue_job.contract.schema import json_schema
from glue_job.contract.yaml_source import (
    MappingNode,
    Node,
    SequenceNode,
    Trap,
    key_place,
    place_of,
    value_place,
)

Check = Callable[[Any, "Node | None", Any, "ShapeReport"], None]
Schema = Mapping[str, Any]


@dataclass
class ShapeReport:
    """What is wrong with a tree, and which of its mappings hold something wrong."""

    faults: list[Fault] = field(default_factory=list)
    errors: int = 0
    broken: set[int] = field(default_factory=set)
    """`id` of each mapping with an error in or below it."""

    def error(self, code: str, message: str, place: Place, help_text: str = "") -> None:
        """Note an error."""
        self.faults.append(Fault(code, message, place, help_text))
        self.errors += 1


@dataclass(frozen=True)
class _Codes:
    """Which code a fault has; parameters and some definitions have their own."""

    unknown: str = "CFG012"
    missing: str = "CFG013"
    kind: str = "CFG014"
    choice: str = "CFG015"
    form: str = "CFG016"


_PARAMETER = _Codes("CFG018", "CFG018", "CFG018", "CFG018", "CFG018")
_DEFINITION_CODES = {
    "identifier": _Codes(form="CFG026"),
    "entry_id": _Codes(form="CFG026"),
    "topic": _Codes(form="CFG030"),
    "storage_path": _Codes(form="CFG032"),
    "bucket": _Codes(form="CFG032"),
    "column_type": _Codes(form="CFG034"),
    "interval": _Codes(form="CFG041"),
}
_REGISTERED = {"rule": "type", "transform": "type", "check": "metric"}

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (SequenceNode,),
    "object": (MappingNode,),
}
_KINDS = {
    "string": "a text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "a mapping",
}
_ANNOTATIONS = frozenset(("description", "default", "examples", "title", "$schema", "definitions"))

_USUAL_TYPE_NAMES = {
    "int": "integer",
    "int4": "integer",
    "smallint": "integer",
    "bigint": "long",
    "int8": "long",
    "float": "double",
    "float8": "double",
    "real": "double",
    "number": "double",
    "text": "string",
    "varchar": "string",
    "char": "string",
    "uuid": "string",
    "bool": "boolean",
    "datetime": "timestamp",
    "timestamptz": "timestamp",
    "numeric": "decimal(p,s)",
    "decimal": "decimal(p,s)",
}


def check_shape(root: Any) -> ShapeReport:
    """Hold the tree of a file against the schema."""
    report = ShapeReport()
    _document_check()(root, None, None, report)
    return report


@cache
def _document_check() -> Check:
    return _Compiler(json_schema()).document()


class _Compiler:
    """Turns the schema's keywords into closures."""

    def __init__(self, document: Schema) -> None:
        """Take the document whose `definitions` are referred to."""
        self._document = document
        self._definitions: dict[str, Check] = {}

    def document(self) -> Check:
        """Compile the root."""
        return self.compile(self._document, _Codes())

    def compile(self, schema: Schema, codes: _Codes) -> Check:
        """Compile one schema."""
        reference = _reference(schema)
        if reference is not None:
            return self._definition(reference)
        types = schema.get("type")
        if types is None:
            raise ValueError(f"a schema without type: {sorted(schema)}")
        names = (types,) if isinstance(types, str) else tuple(types)
        by_type: dict[type, Check] = {}
        used = {"type"} | _ANNOTATIONS
        for name in names:
            check = None
            if name == "object":
                check, keywords = self._object(schema, codes), _OBJECT_KEYWORDS
            elif name == "array":
                items = self.compile(schema["items"], codes)
                check, keywords = _array(schema, items, codes), _ARRAY_KEYWORDS
            elif name == "string":
                check, keywords = _string(schema, codes), _STRING_KEYWORDS
            elif name in ("integer", "number"):
                check, keywords = _number(schema, codes), _NUMBER_KEYWORDS
            else:
                check, keywords = _anything, frozenset[str]()
            used |= keywords
            by_type.update(dict.fromkeys(_PYTHON_TYPES[name], check))
        unknown = set(schema) - used
        if unknown:
            raise ValueError(f"keywords that are not checked: {sorted(unknown)}")
        return _typed(by_type, names, codes)

    def _definition(self, name: str) -> Check:
        if name not in self._definitions:
            codes = _DEFINITION_CODES.get(name, _Codes())
            schema = dict(self._document["definitions"][name])
            key = _REGISTERED.get(name)
            if key is None:
                self._definitions[name] = self.compile(schema, codes)
            else:
                choice = schema["properties"][key]
                check = self.compile(choice, _Codes(choice="CFG017"))
                self._definitions[name] = _typed(
                    {MappingNode: self._object(schema, codes, {key: check})}, ("object",), codes
                )
        return self._definitions[name]

    def _object(
        self, schema: Schema, codes: _Codes, given: Mapping[str, Check] | None = None
    ) -> Check:
        properties = dict(given or {})
        for name, sub in schema.get("properties", {}).items():
            if name not in properties:
                properties[name] = self.compile(sub, codes)
        required = tuple(schema.get("required", ()))
        alternatives = tuple(each["required"][0] for each in schema.get("anyOf", ()))
        conditions = _conditions(schema.get("allOf", ()))
        branches, otherwise = self._branches(conditions)
        is_closed = schema.get("additionalProperties") is False
        known = tuple(schema.get("properties", {}))
        nested = _nested_names(conditions)

        def check(node: MappingNode, parent: Node | None, key: Any, report: ShapeReport) -> None:
            before = report.errors
            explained: tuple[str, ...] = ()
            for name, value in node.items():
                sub = properties.get(name)
                if sub is not None:
                    sub(value, node, name, report)
                elif is_closed:
                    explained += _unknown_key(node, name, known, nested, codes, report)
            for name in required:
                if name not in node and name not in explained:
                    _missing(node, name, codes, report)
            if alternatives and not any(name in node or name in explained for name in alternatives):
                names = " or ".join(f"`{name}`" for name in alternatives)
                place = _own_place(node, parent, key)
                report.error(codes.missing, f"{names} must be given", place)
            for name, by_value in branches:
                value = node.get(name)
                branch = by_value.get(value) if type(value) in (str, bool) else None
                if branch is not None:
                    branch(node, explained, report)
            for name, constant, branch in otherwise:
                if node.get(name) is not constant:
                    branch(node, explained, report)
            if report.errors > before:
                report.broken.add(id(node))

        return check

    def _branches(
        self, conditions: list[tuple[str, Any, Schema, Schema]]
    ) -> tuple[list[tuple[str, dict[Any, Any]]], list[tuple[str, Any, Any]]]:
        """Compile `if a key has this value, then ..., else ...`."""
        branches: dict[str, dict[Any, list[Schema]]] = {}
        otherwise = []
        for key, constant, then, other in conditions:
            if then:
                branches.setdefault(key, {}).setdefault(constant, []).append(then)
            if other:
                otherwise.append((key, constant, self._branch([other], key)))
        compiled = [
            (key, {constant: self._branch(thens, key) for constant, thens in by_value.items()})
            for key, by_value in branches.items()
        ]
        return compiled, otherwise

    def _branch(
        self, schemas: list[Schema], chosen_by: str
    ) -> Callable[[MappingNode, tuple[str, ...], ShapeReport], None]:
        """Compile what holds for a mapping once a key of it has a certain value."""
        subs = [
            (name, self.compile(sub, _PARAMETER))
            for schema in schemas
            for name, sub in schema.get("properties", {}).items()
        ]
        required = [name for schema in schemas for name in schema.get("required", ())]
        hints = {
            name: ", ".join(sub.get("properties", {}))
            for schema in schemas
            for name, sub in schema.get("properties", {}).items()
        }

        def check(node: MappingNode, explained: tuple[str, ...], report: ShapeReport) -> None:
            before = len(report.faults)
            for name, sub in subs:
                if type(node.get(name)) is MappingNode:
                    sub(node[name], node, name, report)
            for name in required:
                if name not in node and name not in explained:
                    _missing(node, name, _Codes(), report, chosen_by, hints.get(name, ""))
            if chosen_by in _REGISTERED.values() and len(report.faults) > before:
                more = rules_command(node[chosen_by])
                report.faults[before:] = [replace(f, more=more) for f in report.faults[before:]]

        return check


_OBJECT_KEYWORDS = frozenset(("properties", "required", "additionalProperties", "anyOf", "allOf"))
_ARRAY_KEYWORDS = frozenset(("items", "minItems", "uniqueItems"))
_STRING_KEYWORDS = frozenset(("pattern", "enum", "minLength"))
_NUMBER_KEYWORDS = frozenset(("minimum", "maximum"))


def _reference(schema: Schema) -> str | None:
    """Give the definition that a schema is nothing but a reference to."""
    reference = schema.get("$ref")
    combined = schema.get("allOf", ())
    if reference is None and len(combined) == 1 and "properties" not in schema:
        reference = combined[0].get("$ref")
    return None if reference is None else str(reference).rpartition("/")[2]


def _conditions(combined: Any) -> list[tuple[str, Any, Schema, Schema]]:
    """Read the `if` entries of an allOf: key, value, then, else."""
    conditions = []
    for entry in combined:
        ((key, condition),) = entry["if"]["properties"].items()
        conditions.append((key, condition["const"], entry.get("then", {}), entry.get("else", {})))
    return conditions


def _nested_names(conditions: list[tuple[str, Any, Schema, Schema]]) -> dict[str, str]:
    """Map parameter names to the key they belong under."""
    return {
        name: key
        for _, _, then, _ in conditions
        for key, sub in then.get("properties", {}).items()
        for name in sub.get("properties", {})
    }


def _typed(by_type: Mapping[type, Check], names: tuple[str, ...], codes: _Codes) -> Check:
    """Choose the check by the value's type, or report the wrong kind."""
    if len(by_type) == 1:
        ((only, only_check),) = by_type.items()

        def check_one(value: Any, parent: Node | None, key: Any, report: ShapeReport) -> None:
            if type(value) is only:
                only_check(value, parent, key, report)
            else:
                _wrong_kind(value, parent, key, names, codes, report)

        return check_one

    def check(value: Any, parent: Node | None, key: Any, report: ShapeReport) -> None:
        sub = by_type.get(type(value))
        if sub is None:
            _wrong_kind(value, parent, key, names, codes, report)
        else:
            sub(value, parent, key, report)

    return check


def _anything(value: Any, parent: Node | None, key: Any, report: ShapeReport) -> None:
    """Accept every value of the type."""


def _string(schema: Schema, codes: _Codes) -> Check:
    choices = schema.get("enum")
    if choices is not None:
        return _choice(tuple(choices), codes)
    pattern = schema.get("pattern")
    if pattern is not None:
        return _pattern(pattern, schema.get("description", ""), codes)
    if not schema.get("minLength"):
        return _anything

    def check(value: str, parent: Node | None, key: Any, report: ShapeReport) -> None:
        if not value:
            report.error(codes.form, f"{_name(key)} is empty", _place(parent, key))

    return check


def _choice(choices: tuple[str, ...], codes: _Codes) -> Check:
    accepted = frozenset(choices)
    kind = {"CFG017": "not known"}.get(codes.choice, "not possible")

    def check(value: str, parent: Node | None, key: Any, report: ShapeReport) -> None:
        if value not in accepted:
            message = f"{_name(key)} `{value}` is {kind}"
            report.error(codes.choice, message, _place(parent, key), did_you_mean(value, choices))

    return check


def _pattern(pattern: str, description: str, codes: _Codes) -> Check:
    # `$` of JSON Schema does not stand before a trailing newline, Python's does.
    expression = re.compile(pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern)
    accepted: set[str] = set()

    def check(value: str, parent: Node | None, key: Any, report: ShapeReport) -> None:
        if value in accepted:
            return
        if expression.search(value):
            accepted.add(value)
            return
        message, help_text = _explain_form(value, key, description, codes)
        report.error(codes.form, message, _place(parent, key), help_text)

    return check


def _explain_form(value: str, key: Any, description: str, codes: _Codes) -> tuple[str, str]:
    """Say in the words of its definition why a text does not fit."""
    shown = value if len(value) <= 80 else value[:77] + "..."
    match codes.form:
        case "CFG034":
            usual = _USUAL_TYPE_NAMES.get(value.strip().lower())
            help_text = f"did you mean `{usual}`?" if usual else _nearest_type(value)
            return f"`{shown}` is not a column type", help_text
        case "CFG041":
            return f"`{shown}` is not a time span", "write it like `15 seconds`"
        case _:
            return f"{_name(key)} `{shown}` is not legal", description


def _nearest_type(value: str) -> str:
    from glue_job.contract.types import SIMPLE_TYPES

    return did_you_mean(value, (*SIMPLE_TYPES, "decimal(p,s)"))


def _number(schema: Schema, codes: _Codes) -> Check:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and high is None:
        return _anything

    def check(value: float, parent: Node | None, key: Any, report: ShapeReport) -> None:
        if low is not None and value < low:
            message = f"{_name(key)} is {value}, it must be at least {low}"
            report.error(codes.form, message, _place(parent, key))
        elif high is not None and value > high:
            message = f"{_name(key)} is {value}, it must be at most {high}"
            report.error(codes.form, message, _place(parent, key))

    return check


def _array(schema: Schema, items: Check, codes: _Codes) -> Check:
    minimum = schema.get("minItems", 0)
    is_unique = bool(schema.get("uniqueItems"))

    def check(node: SequenceNode, parent: Node | None, key: Any, report: ShapeReport) -> None:
        before = report.errors
        for index, value in enumerate(node):
            items(value, node, index, report)
        if len(node) < minimum:
            report.error(codes.form, f"{_name(key)} is empty", _own_place(node, parent, key))
        elif is_unique and report.errors == before:
            _repeated(node, key, codes, report)

    return check


def _repeated(node: SequenceNode, key: Any, codes: _Codes, report: ShapeReport) -> None:
    """Point at items that stand twice; true and 1 are different, 1 and 1.0 are not."""
    seen = set()
    for index, value in enumerate(node):
        known_as = (type(value) is bool, value)
        if known_as in seen:
            message = f"{_name(key)} has `{_shown(value)}` twice"
            report.error(codes.form, message, value_place(node, index))
        seen.add(known_as)


def _unknown_key(
    node: MappingNode,
    name: str,
    known: tuple[str, ...],
    nested: Mapping[str, str],
    codes: _Codes,
    report: ShapeReport,
) -> tuple[str, ...]:
    """Report a key that is not known; give the missing keys it explains."""
    place = key_place(node, name)
    noun = "parameter" if codes is _PARAMETER else "key"
    if name in nested:
        where = nested[name]
        report.error(
            codes.unknown, f"unknown {noun} `{name}`", place, f"it belongs under `{where}`"
        )
        return (where,)
    help_text = did_you_mean(name, known) or ("it takes none" if not known else "")
    report.error(codes.unknown, f"unknown {noun} `{name}`", place, help_text)
    meant = help_text.removeprefix("did you mean `").removesuffix("`?")
    return (meant,) if meant in known and meant not in node else ()


def _missing(
    node: MappingNode,
    name: str,
    codes: _Codes,
    report: ShapeReport,
    chosen_by: str = "",
    hint: str = "",
) -> None:
    """Report a key that is not there, at what asks for it or where the mapping begins."""
    if chosen_by in node:
        place, asks = value_place(node, chosen_by), f"`{node[chosen_by]}` needs it"
        code = "CFG018" if name == "params" else codes.missing
    else:
        place, asks, code = _start_of(node), "", codes.missing
    report.error(code, f"`{name}` is missing", place, f"{asks}: {hint}" if hint else asks)


def _wrong_kind(
    value: Any,
    parent: Node | None,
    key: Any,
    names: tuple[str, ...],
    codes: _Codes,
    report: ShapeReport,
) -> None:
    """Report a value of another type, unless it has one meaning here."""
    place = _place(parent, key)
    if isinstance(value, Trap):
        if value.boolean is not None and names == ("boolean",) and parent is not None:
            word = str(value.boolean).lower()
            parent[key] = value.boolean
            message = f"`{value.text}` is {word} in YAML 1.1 only"
            report.faults.append(Fault("CFG010", message, place, f"write `{word}`", "warning"))
            return
        message = f"YAML 1.1 reads `{value.text}` as {value.reads_as}"
        report.error("CFG010", message, place, value.advice)
        return
    if type(value) is float and "integer" in names and value.is_integer() and parent is not None:
        parent[key] = int(value)
        return
    wanted = " or ".join(_KINDS[name] for name in names)
    if value is None:
        help_text = "give it a value, or leave the key out"
        report.error(
            codes.kind, f"{_name(key)} has no value; it must be {wanted}", place, help_text
        )
        return
    help_text = ""
    if "string" in names and isinstance(value, bool | int | float):
        help_text = f'write "{_shown(value)}" if the text is meant'
    message = f"{_name(key)} must be {wanted}, not {_described(value)}"
    report.error(codes.kind, message, place, help_text)


def _described(value: Any) -> str:
    match value:
        case bool():
            return f"the boolean {_shown(value)}"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text `{value if len(value) <= 40 else value[:37] + '...'}`"
        case SequenceNode():
            return "a list"
        case _:
            return "a mapping"


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _name(key: Any) -> str:
    """Name what a value stands under."""
    match key:
        case str():
            return f"`{key}`"
        case int():
            return f"item {key + 1}"
        case _:
            return "the document"


def _place(parent: Node | None, key: Any) -> Place:
    return Place(1, 1) if parent is None else value_place(parent, key)


def _own_place(node: Node, parent: Node | None, key: Any) -> Place:
    """Give the place of the key of a collection, or where the collection begins."""
    if isinstance(parent, MappingNode):
        return key_place(parent, key)
    return place_of(node.event)


def _start_of(node: MappingNode) -> Place:
    """Give where a mapping begins: its first key in block style, its brace in flow style."""
    return place_of(node.event)
