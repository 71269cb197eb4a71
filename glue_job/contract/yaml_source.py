"""YAML text to plain values that know where they stand.

The tree is built from the parser's event stream, which is several times faster than PyYAML's
loaders and gives positions, duplicate keys and bounds for free.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, cast

from yaml.error import Mark, MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from glue_job.contract.finding import Fault, Place, did_you_mean

MAX_BYTES = 5 * 1024 * 1024
MAX_DEPTH = 20
MAX_NODES = 3_000_000
MAX_ALIAS_NODES = 300_000
"""How many nodes all aliases of a file may stand for together."""
_TOO_MANY_ALIASES = f"aliases expand to more than {MAX_ALIAS_NODES:,} values"

LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What ends a line for YAML 1.1, and so for its line numbers."""

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BYTE_ORDER_MARK = "\ufeff"

_TAG = "tag:yaml.org,2002:"
_STRING_TAGS = frozenset(("!", _TAG + "str"))
_PLAIN_TAGS = frozenset(_TAG + name for name in ("bool", "int", "float", "null"))

_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = {
    spelling: value
    for word, value in (("true", True), ("false", False))
    for spelling in (word, word.title(), word.upper())
}
_LOOSE_BOOLEANS = {
    spelling: value
    for word, value in (("yes", True), ("no", False), ("on", True), ("off", False))
    for spelling in (word, word.title(), word.upper())
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_OTHER_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|[0-9][0-9_]*)")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
MAX_DIGITS = 400
"""A longer number is no number of a table; Python refuses to read one of 4,300 digits."""


@dataclass(frozen=True)
class Trap:
    """An unquoted scalar that YAML 1.1 reads as something else than it says."""

    text: str
    reads_as: str
    advice: str
    boolean: bool | None = None
    """What it means where only a boolean is possible."""


class MappingNode(dict[str, Any]):
    """A mapping with the events of its keys and values."""

    __slots__ = ("event", "places")
    event: NodeEvent
    places: dict[str, tuple[Event, Event]]


class SequenceNode(list[Any]):
    """A sequence with the events of its items."""

    __slots__ = ("event", "places")
    event: NodeEvent
    places: list[Event]


Node = MappingNode | SequenceNode


class YamlFault(Exception):
    """The text cannot be read as one YAML document within the bounds."""

    def __init__(self, fault: Fault) -> None:
        """Carry the fault."""
        super().__init__(fault.message)
        self.fault = fault


def key_place(node: MappingNode, key: str) -> Place:
    """Give the place of a key."""
    return place_of(node.places[key][0])


def value_place(node: Node, key: str | int) -> Place:
    """Give the place of the value under a key, or of an item."""
    if isinstance(node, MappingNode):
        return place_of(node.places[str(key)][1])
    return place_of(node.places[int(key)])


def place_of(event: Event) -> Place:
    """Give the place of an event; of what spans lines only the first character is meant."""
    # The parsers always set both marks.
    start, end = cast("Mark", event.start_mark), cast("Mark", event.end_mark)
    width = 1
    if isinstance(event, ScalarEvent | AliasEvent) and end.line == start.line:
        width = max(1, end.column - start.column)
    return Place(start.line + 1, start.column + 1, width)


def decode(data: bytes) -> str:
    """Decode a file; YamlFault when it is not UTF-8."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise YamlFault(
            Fault("CFG001", "the file is UTF-16, not UTF-8", Place(1, 1), "save it as UTF-8")
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        start = data.rfind(b"\n", 0, error.start) + 1
        column = len(data[start : error.start].decode("utf-8", "replace")) + 1
        raise YamlFault(
            Fault(
                "CFG001",
                f"byte 0x{data[error.start]:02x} is not UTF-8 text",
                Place(line, column),
                "save the file as UTF-8",
            )
        ) from None


def parse(text: str, *, use_libyaml: bool = True) -> MappingNode:
    """Build the tree of the one document in `text`; YamlFault says what prevents it.

    Without libyaml PyYAML's own parser gives the same tree, some twenty times slower.
    """
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "replace")) > MAX_BYTES:
        megabytes = MAX_BYTES // (1024 * 1024)
        raise YamlFault(
            Fault("CFG007", f"the file is larger than {megabytes} MB", Place(1, 1), "split it")
        )
    text = text.removeprefix(_BYTE_ORDER_MARK)
    _refuse_unprintable(text)
    try:
        root = _Builder(_parser(text, use_libyaml)).document()
    except MarkedYAMLError as error:
        raise YamlFault(_syntax_fault(error, text)) from None
    except YAMLError as error:
        raise YamlFault(Fault("CFG003", f"not readable as YAML: {error}", Place(1, 1))) from None
    return root


def _refuse_unprintable(text: str) -> None:
    """Point at the first character that YAML does not allow at all."""
    found = _UNPRINTABLE.search(text)
    if found is None:
        return
    before = LINE_BREAK.split(text[: found.start()])
    name = "a NUL" if found[0] == "\0" else f"character U+{ord(found[0]):04X}"
    raise YamlFault(
        Fault(
            "CFG002",
            f"{name} is not allowed in YAML",
            Place(len(before), len(before[-1]) + 1),
            "remove it; inside double quotes it can be written as an escape",
        )
    )


def _syntax_fault(error: MarkedYAMLError, text: str) -> Fault:
    """Say what the parser stumbled over, where it stumbled."""
    lines = LINE_BREAK.split(text)
    place = _within(error.problem_mark or error.context_mark, lines)
    problem = error.problem or error.context or "not readable as YAML"
    row, column = place.line or 1, place.column or 1
    line = lines[row - 1]
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent or line[column - 1 : column] == "\t":
        tab = Place(row, line.index("\t") + 1 if "\t" in indent else column)
        return Fault("CFG004", "a tab stands where YAML wants spaces", tab, "indent with spaces")
    if "maximum nesting depth" in problem:
        return Fault("CFG007", f"more than {MAX_DEPTH} levels deep", place)
    help_text, start = "", _within(error.context_mark, lines)
    if problem.startswith("mapping values are not allowed"):
        help_text = "a value that holds `: ` must be quoted; else check the indentation"
    elif error.context_mark is not None and "end of stream" in problem:
        place, help_text = start, "it is never closed"
    elif error.context_mark is not None and start.line != place.line:
        help_text = f"what is not complete begins in line {start.line}"
    context = f"{error.context}: " if error.context and error.problem else ""
    return Fault("CFG003", f"{context}{problem}", place, help_text)


def _within(mark: Mark | None, lines: list[str]) -> Place:
    """Give the place of a mark; the parser's may lie behind the end of the text."""
    if mark is None:
        return Place(1, 1)
    if mark.line >= len(lines):
        return Place(len(lines), len(lines[-1]) + 1)
    return Place(mark.line + 1, min(mark.column, len(lines[mark.line])) + 1)


class _Builder:
    """Turns the events of one document into a tree."""

    def __init__(self, parser: Any) -> None:
        """Take a parser that gives the events."""
        self._parser = parser
        self._anchors: dict[str, tuple[Any, NodeEvent, int, int]] = {}
        self._open_anchors: set[str] = set()
        self._scalars: dict[str, Any] = {}
        self._nodes = 0
        self._alias_nodes = 0

    def document(self) -> MappingNode:
        """Read the stream: one document whose root is a mapping."""
        next_event = self._parser.get_event
        next_event()
        first = next_event()
        if isinstance(first, StreamEndEvent):
            raise YamlFault(Fault("CFG009", "the file is empty", Place(1, 1), "see `tables:`"))
        event = next_event()
        if type(event) is not MappingStartEvent:
            if isinstance(event, ScalarEvent) and event.value == "":
                raise YamlFault(Fault("CFG009", "the document is empty", Place(1, 1)))
            raise YamlFault(
                Fault("CFG014", "the document must be a mapping with `tables:`", place_of(event))
            )
        root, _ = self._collection(event, 1)
        assert isinstance(root, MappingNode)
        next_event()
        after = next_event()
        if isinstance(after, DocumentStartEvent):
            raise YamlFault(
                Fault(
                    "CFG008",
                    "a second YAML document begins here; one file is one pipeline",
                    place_of(after),
                    "remove the `---`, or move the rest to a file of its own",
                )
            )
        return root

    def _collection(self, event: Any, depth: int) -> tuple[Node, int]:
        """Build a mapping or sequence; give it with the number of levels it has."""
        if depth > MAX_DEPTH:
            raise _refusal("CFG007", f"more than {MAX_DEPTH} levels deep", event)
        anchor = event.anchor
        if anchor is None and event.tag is None:
            return self._filled(event, depth)
        self._check_collection_tag(event)
        if anchor is None:
            return self._filled(event, depth)
        first_node = self._nodes
        self._open_anchors.add(anchor)
        node, height = self._filled(event, depth)
        self._open_anchors.discard(anchor)
        self._anchors[anchor] = (node, event, self._nodes - first_node + 1, height)
        return node, height

    def _filled(self, event: NodeEvent, depth: int) -> tuple[Node, int]:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _refusal("CFG007", f"more than {MAX_NODES:,} values", event)
        if type(event) is MappingStartEvent:
            return self._mapping(event, depth)
        return self._sequence(event, depth)

    def _mapping(self, start: NodeEvent, depth: int) -> tuple[MappingNode, int]:
        node = MappingNode()
        node.event = start
        places = node.places = {}
        next_event = self._parser.get_event
        scalars = self._scalars
        merged: list[tuple[Event, Any]] = []
        height = 1
        count = 0
        while True:
            key_event = next_event()
            if type(key_event) is not ScalarEvent:
                if type(key_event) is MappingEndEvent:
                    break
                key_event = self._key_event(key_event)
            elif key_event.anchor is not None or key_event.tag is not None:
                self._scalar(key_event)
            key = key_event.value
            event = next_event()
            count += 1
            if type(event) is ScalarEvent:
                text = event.value
                if event.anchor is None and event.tag is None and text in scalars:
                    value = scalars[text] if event.implicit[0] else text
                else:
                    value = self._scalar(event)
            else:
                value, value_height = self._value(event, depth)
                if value_height >= height:
                    height = value_height + 1
            if key == "<<" and key_event.implicit[0]:
                merged.append((event, value))
                continue
            if key in places:
                first = place_of(places[key][0])
                raise _refusal(
                    "CFG005",
                    f"key `{key}` stands twice in one mapping",
                    key_event,
                    f"the first is in line {first.line}",
                )
            node[key] = value
            places[key] = (key_event, event)
        self._nodes += count
        for event, value in merged:
            self._merge(node, event, value)
        return node, height

    def _sequence(self, start: NodeEvent, depth: int) -> tuple[SequenceNode, int]:
        node = SequenceNode()
        node.event = start
        places = node.places = []
        next_event = self._parser.get_event
        height = 1
        while True:
            event = next_event()
            if type(event) is SequenceEndEvent:
                break
            if type(event) is ScalarEvent:
                value = self._scalar(event)
                self._nodes += 1
            else:
                value, value_height = self._value(event, depth)
                if value_height >= height:
                    height = value_height + 1
            node.append(value)
            places.append(event)
        return node, height

    def _value(self, event: Event, depth: int) -> tuple[Any, int]:
        """Build what is not a scalar."""
        if isinstance(event, AliasEvent):
            return self._alias(event, depth)
        return self._collection(event, depth + 1)

    def _alias(self, event: Any, depth: int) -> tuple[Any, int]:
        """Give what an anchor stands for, and count it as if it were written out."""
        name = event.anchor
        if name in self._open_anchors:
            raise _refusal("CFG006", f"alias `*{name}` stands inside what it refers to", event)
        if name not in self._anchors:
            raise _refusal(
                "CFG006",
                f"there is no anchor `&{name}` before this alias",
                event,
                did_you_mean(name, self._anchors),
            )
        value, _, size, height = self._anchors[name]
        self._nodes += size
        self._alias_nodes += size
        if self._alias_nodes > MAX_ALIAS_NODES or self._nodes > MAX_NODES:
            raise _refusal("CFG007", _TOO_MANY_ALIASES, event)
        if depth + height > MAX_DEPTH:
            raise _refusal("CFG007", f"more than {MAX_DEPTH} levels deep", event)
        return value, height

    def _merge(self, node: MappingNode, event: Event, value: Any) -> None:
        """Add the pairs of `<<`: what the mapping has itself wins, then the earlier one."""
        sources = value if isinstance(value, SequenceNode) else [value]
        for source in sources:
            if not isinstance(source, MappingNode):
                raise _refusal("CFG006", "`<<` takes a mapping or a list of mappings", event)
            self._nodes += len(source)
            self._alias_nodes += len(source)
            if self._alias_nodes > MAX_ALIAS_NODES:
                raise _refusal("CFG007", _TOO_MANY_ALIASES, event)
            for key, item in source.items():
                if key not in node.places:
                    node[key] = item
                    node.places[key] = source.places[key]

    def _key_event(self, event: Event) -> ScalarEvent:
        """Take an alias of a text as a key; refuse collections."""
        if isinstance(event, AliasEvent):
            self._alias(event, 0)
            origin = self._anchors[event.anchor or ""][1]
            if isinstance(origin, ScalarEvent):
                return origin
        raise _refusal("CFG014", "a key must be a text", event)

    def _scalar(self, event: ScalarEvent) -> Any:
        """Give the value of a scalar, and remember it when it is anchored."""
        tag = event.tag
        if event.implicit[0] and tag is None:
            value = self._plain(event.value)
        elif tag is None or tag in _STRING_TAGS:
            value = event.value
        elif tag in _PLAIN_TAGS:
            value = _tagged(event)
        else:
            raise _refusal(
                "CFG011",
                f"tag `{tag.replace(_TAG, '!!')}` is not supported",
                event,
                "leave the tag out",
            )
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, event, 1, 0)
        return value

    def _plain(self, text: str) -> Any:
        scalars = self._scalars
        if text not in scalars:
            scalars[text] = plain_value(text)
        return scalars[text]

    def _check_collection_tag(self, event: Any) -> None:
        kind = "map" if isinstance(event, MappingStartEvent) else "seq"
        if event.tag not in (None, "!", _TAG + kind):
            tag = event.tag.replace(_TAG, "!!")
            raise _refusal("CFG011", f"tag `{tag}` is not supported", event, "leave the tag out")


def plain_value(text: str) -> Any:
    """Read an unquoted scalar as YAML 1.2 does; a Trap where YAML 1.1 reads it otherwise."""
    if text in _NULLS:
        return None
    if text[0] not in "+-.0123456789tTfFyYnNoO":
        return text
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text in _LOOSE_BOOLEANS:
        value = _LOOSE_BOOLEANS[text]
        word = str(value).lower()
        return Trap(text, f"the boolean {word}", f'write "{text}" for the text', boolean=value)
    if text[0] in "tTfFyYnNoO":
        return text
    return _number(text)


def _number(text: str) -> Any:
    """Read what begins like a number."""
    is_float = _FLOAT.fullmatch(text) is not None
    if (is_float or text.lstrip("+-").isdigit()) and len(text) > MAX_DIGITS:
        return Trap(text[:20] + "...", "a number of too many digits", "write a shorter one")
    if _INTEGER.fullmatch(text):
        return int(text)
    if is_float:
        value = float(text)
        if value in (float("inf"), float("-inf")):
            return Trap(text, "infinity", "write a number a double can hold")
        return value
    if _NOT_FINITE.fullmatch(text):
        return Trap(text, "a number that is not finite", "write a finite number")
    if _SEXAGESIMAL.fullmatch(text):
        return Trap(text, "a number to base 60", f'write "{text}" for the text')
    if _OTHER_INTEGER.fullmatch(text):
        if text.lstrip("+-").startswith("0"):
            how = "an octal number" if text.lstrip("+-0_bx") == text.lstrip("+-0_") else "a number"
            return Trap(
                text, how, f'write "{text}" for the text, or the number without leading zero'
            )
        return Trap(text, "a number", f'write "{text}" for the text, or the number without `_`')
    return text


def _tagged(event: ScalarEvent) -> Any:
    """Read a scalar with an explicit core tag; it must be what the tag says."""
    kind = str(event.tag).removeprefix(_TAG)
    value = plain_value(event.value)
    if isinstance(value, Trap) and kind == "bool" and value.boolean is not None:
        return value.boolean
    if kind == "float" and type(value) is int:
        return float(value)
    expected = {"bool": bool, "int": int, "float": float, "null": type(None)}[kind]
    if type(value) is not expected:
        raise _refusal("CFG011", f"`{event.value}` is not a !!{kind}", event, "leave the tag out")
    return value


def _refusal(code: str, message: str, event: Event, help_text: str = "") -> YamlFault:
    return YamlFault(Fault(code, message, place_of(event), help_text))


def _parser(text: str, use_libyaml: bool) -> Any:
    """Give an event parser: libyaml's where it is wanted and PyYAML has it."""
    if use_libyaml:
        try:
            from yaml._yaml import CParser
        except ImportError:
            pass
        else:
            return CParser(text)
    from yaml.loader import SafeLoader

    return SafeLoader(text)
