"""Reads Java's pattern syntax, so that a bad pattern is found without a Java machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from glue_job.regex.charset import (
    ANY,
    ASCII_PROPERTIES,
    CLASSES,
    EMPTY,
    NOT_LINE_END,
    UNICODE_PROPERTIES,
    CharSet,
)
from glue_job.regex.tree import (
    BackReference,
    Chars,
    Choice,
    Edge,
    Group,
    Look,
    Node,
    Repeat,
    Sequence,
    greatest_size,
)

MOST_REPETITIONS = 10_000
DEEPEST_NESTING = 50

_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "a": "\a", "e": "\x1b"}
_EDGES = {
    "b": Edge(),
    "B": Edge(),
    "A": Edge(is_start=True),
    "z": Edge(is_end=True),
    "Z": Edge(is_end=True),
}
_COUNT = re.compile(r"\{(\d+)(,)?(\d+)?\}", re.ASCII)
_GROUP_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*", re.ASCII)
_HEXADECIMAL = {"x": re.compile(r"[0-9A-Fa-f]{2}"), "u": re.compile(r"[0-9A-Fa-f]{4}")}
_FLAGS = re.compile(r"([a-zA-Z]*)(-[a-zA-Z]*)?([:)])")


class PatternError(ValueError):
    """What Java would not accept, or what is not safe to accept."""

    def __init__(self, message: str, position: int, help: str = "") -> None:
        """Say what is wrong at which character, counted from 0."""
        super().__init__(f"{message}, at character {position + 1}")
        self.help = help


@dataclass(frozen=True)
class Flags:
    """Inline flags in force."""

    ignore_case: bool = False
    dot_all: bool = False


@dataclass(frozen=True)
class Parsed:
    """A pattern's tree, and the positions of `$`."""

    tree: Node
    dollars: tuple[int, ...]


def parse(pattern: str) -> Parsed:
    """Read a pattern; PatternError says what is wrong and where."""
    parser = _Parser(pattern)
    tree = parser.choice()
    if parser.at < len(pattern):
        raise PatternError("`)` closes no group", parser.at, help=r"a literal one is `\)`")
    parser.check_references()
    return Parsed(tree, tuple(parser.dollars))


class _Parser:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.flags = Flags()
        self.groups = 0
        self.names: set[str] = set()
        self.references: list[tuple[int, int]] = []
        self.dollars: list[int] = []
        self.depth = 0

    def choice(self) -> Node:
        options = [self.sequence()]
        while self.take("|"):
            options.append(self.sequence())
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def sequence(self) -> Node:
        parts: list[Node] = []
        while self.at < len(self.pattern) and self.peek() not in "|)":
            atoms = self.atoms()
            # A repetition after \Q...\E takes the last character only, as in Java.
            parts += [*atoms[:-1], *map(self.repeated, atoms[-1:])]
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def atoms(self) -> list[Node]:
        start = self.at
        char = self.next()
        match char:
            case "(":
                return [self.group(start)]
            case "[":
                return [self.chars(self.char_class(start))]
            case ".":
                return [Chars(ANY if self.flags.dot_all else NOT_LINE_END)]
            case "^":
                return [Edge(is_start=True)]
            case "$":
                self.dollars.append(start)
                return [Edge(is_end=True)]
            case "\\":
                return self.escape(start)
            case "*" | "+" | "?":
                raise PatternError(
                    f"`{char}` repeats nothing", start, help=f"a literal one is `\\{char}`"
                )
            case "{":
                raise PatternError("`{` repeats nothing", start, help=r"a literal one is `\{`")
            case _:
                return [self.chars(CharSet.of(char))]

    def chars(self, accepted: CharSet) -> Chars:
        return Chars(accepted.ignoring_case() if self.flags.ignore_case else accepted)

    def repeated(self, part: Node) -> Node:
        start = self.at
        char = self.peek()
        match char:
            case "*":
                least, most = 0, None
            case "+":
                least, most = 1, None
            case "?":
                least, most = 0, 1
            case "{":
                least, most = self.counts()
                self.at -= 1
            case _:
                return part
        self.at += 1
        if not self.take("?"):
            self.take("+")
        if self.peek() in {"*", "+", "?", "{"}:
            raise PatternError(
                f"`{self.peek()}` repeats a repetition",
                self.at,
                help=f"put `{self.pattern[start : self.at]}` and what it repeats into `(?: )`",
            )
        return Repeat(part, least, most)

    def counts(self) -> tuple[int, int | None]:
        match = _COUNT.match(self.pattern, self.at)
        if match is None:
            raise PatternError(
                "`{` does not begin a count such as {3}, {3,} or {3,5}",
                self.at,
                help=r"a literal one is `\{`; Java has no {,5}: write {0,5}",
            )
        least = int(match[1])
        most = int(match[3]) if match[3] else (None if match[2] else least)
        if most is not None and most < least:
            raise PatternError(f"{match[0]} counts down", self.at)
        if max(least, most or 0) > MOST_REPETITIONS:
            raise PatternError(f"{match[0]} is more than {MOST_REPETITIONS} times", self.at)
        self.at = match.end()
        return least, most

    def group(self, start: int) -> Node:
        if not self.take("?"):
            self.groups += 1
            return Group(self.inside(start))
        if self.take(":") or self.take(">"):
            return Group(self.inside(start))
        for opening, is_behind in (("=", False), ("!", False), ("<=", True), ("<!", True)):
            if self.take(opening):
                part = self.inside(start)
                if is_behind and greatest_size(part) is None:
                    raise PatternError(
                        "a look-behind must have a longest match",
                        start,
                        help="replace `*` and `+` by counts",
                    )
                return Look(part, is_behind)
        if self.take("<"):
            return self.named_group(start)
        if self.peek() == "P":
            raise PatternError(
                "`(?P` is Python's syntax", start, help="Java writes (?<name>...) and \\k<name>"
            )
        return self.flagged(start)

    def named_group(self, start: int) -> Node:
        match = _GROUP_NAME.match(self.pattern, self.at)
        if match is None or not self.pattern.startswith(">", match.end()):
            raise PatternError(
                "a group's name is made of ASCII letters and digits, a letter first", self.at
            )
        if match[0] in self.names:
            raise PatternError(f"two groups are named `{match[0]}`", self.at)
        self.names.add(match[0])
        self.groups += 1
        self.at = match.end() + 1
        return Group(self.inside(start))

    def flagged(self, start: int) -> Node:
        match = _FLAGS.match(self.pattern, self.at)
        if match is None or not (match[1] or match[2]):
            raise PatternError("`(?` begins no group that Java knows", start)
        on, off = match[1], (match[2] or "-")[1:]
        unknown = set(on + off) - set("isu")
        if unknown:
            flag = min(unknown)
            raise PatternError(
                f"flag `{flag}` is not supported",
                start,
                help="flags i, s and u are; `^` and `$` always are the ends of the whole value",
            )
        self.at = match.end()
        changed = replace(
            self.flags,
            ignore_case=("i" in on or self.flags.ignore_case) and "i" not in off,
            dot_all=("s" in on or self.flags.dot_all) and "s" not in off,
        )
        if match[3] == ")":
            self.flags = changed
            if self.at < len(self.pattern) and self.peek() in "*+?{":
                raise PatternError(f"`{self.peek()}` repeats nothing", self.at)
            return Sequence(())
        return Group(self.inside(start, changed))

    def inside(self, start: int, flags: Flags | None = None) -> Node:
        with self.nested(start):
            outer = self.flags
            self.flags = flags or outer
            part = self.choice()
            self.flags = outer
        if not self.take(")"):
            raise PatternError("the group is never closed", start, help=r"a literal `(` is `\(`")
        return part

    @contextmanager
    def nested(self, start: int) -> Iterator[None]:
        self.depth += 1
        if self.depth > DEEPEST_NESTING:
            raise PatternError(f"more than {DEEPEST_NESTING} groups inside each other", start)
        yield
        self.depth -= 1

    def escape(self, start: int) -> list[Node]:
        if self.at >= len(self.pattern):
            raise PatternError("the pattern ends in `\\`", start, help=r"a literal one is `\\`")
        char = self.peek()
        if char == "Q":
            return self.quotation()
        if char in _EDGES:
            self.at += 1
            return [_EDGES[char]]
        if char == "k":
            self.at += 1
            match = re.compile(r"<([A-Za-z][A-Za-z0-9]*)>", re.ASCII).match(self.pattern, self.at)
            if match is None:
                raise PatternError(r"`\k` needs a group's name: \k<name>", start)
            self.at = match.end()
            if match[1] not in self.names:
                raise PatternError(f"there is no group `{match[1]}` before", start)
            return [BackReference()]
        if char in "123456789":
            self.at += 1
            self.references.append((int(char), start))
            return [BackReference()]
        if char == "R":
            self.at += 1
            return [
                Group(
                    Choice(
                        (
                            Sequence((Chars(CharSet.of("\r")), Chars(CharSet.of("\n")))),
                            Chars(CLASSES["v"]),
                        )
                    )
                )
            ]
        return [self.chars(self.escaped_set(start))]

    def quotation(self) -> list[Node]:
        end = self.pattern.find("\\E", self.at)
        text = self.pattern[self.at + 1 : end if end >= 0 else None]
        self.at = end + 2 if end >= 0 else len(self.pattern)
        return [self.chars(CharSet.of(char)) for char in text]

    def escaped_set(self, start: int) -> CharSet:
        """Read what follows a backslash when it stands for characters, in or out of a class."""
        point = self.escaped_point(start)
        if point is not None:
            return CharSet.span(point, point)
        char = self.next()
        if char.lower() in CLASSES:
            named = CLASSES[char.lower()]
            return named if char.islower() else ~named
        if char in "pP":
            named = self.property(start)
            return named if char == "p" else ~named
        raise PatternError(
            f"`\\{char}` is not an escape that Java and this check know",
            start,
            help=f"a literal `{char}` needs no backslash",
        )

    def escaped_point(self, start: int) -> int | None:
        char = self.peek()
        if char in _CONTROLS:
            self.at += 1
            return ord(_CONTROLS[char])
        if char in _HEXADECIMAL:
            self.at += 1
            return self.hexadecimal(char, start)
        if char == "0":
            match = re.compile(r"0([0-3][0-7]{2}|[0-7]{1,2})").match(self.pattern, self.at)
            if match is None:
                raise PatternError(r"`\0` needs octal digits", start)
            self.at = match.end()
            return int(match[1], 8)
        if char == "c" and self.at + 1 < len(self.pattern):
            self.at += 2
            return ord(self.pattern[self.at - 1]) ^ 64
        if not (char.isascii() and char.isalnum()):
            self.at += 1
            return ord(char)
        return None

    def hexadecimal(self, char: str, start: int) -> int:
        braced = re.compile(r"\{([0-9A-Fa-f]{1,6})\}").match(self.pattern, self.at)
        if char == "x" and braced is not None and int(braced[1], 16) <= 0x10FFFF:
            self.at = braced.end()
            return int(braced[1], 16)
        match = _HEXADECIMAL[char].match(self.pattern, self.at)
        if match is None:
            shapes = r"\xhh or \x{h...h}" if char == "x" else r"\uhhhh"
            raise PatternError(f"`\\{char}` needs hexadecimal digits: {shapes}", start)
        self.at = match.end()
        return int(match[0], 16)

    def property(self, start: int) -> CharSet:
        match = re.compile(r"\{(\w+)\}|([A-Z])", re.ASCII).match(self.pattern, self.at)
        if match is None:
            raise PatternError(r"`\p` needs a property: \p{Lu}", start)
        self.at = match.end()
        name = match[1] or match[2]
        known = {**ASCII_PROPERTIES, **UNICODE_PROPERTIES}
        if name not in known:
            raise PatternError(
                f"`\\p{{{name}}}` is not a property that this check knows",
                start,
                help="known: " + ", ".join(known),
            )
        return known[name]

    def char_class(self, start: int) -> CharSet:
        """Read a class after its `[`."""
        with self.nested(start):
            is_negated = self.take("^")
            whole: CharSet | None = None
            members = EMPTY
            is_empty = True
            while True:
                if self.at >= len(self.pattern):
                    raise PatternError(
                        "the class is never closed", start, help=r"a literal `[` is `\[`"
                    )
                if self.peek() == "]" and not is_empty:
                    self.at += 1
                    break
                if self.take("&&"):
                    whole = members if whole is None else whole & members
                    members, is_empty = EMPTY, True
                    continue
                members |= self.class_member()
                is_empty = False
            accepted = members if whole is None else whole & members
        return ~accepted if is_negated else accepted

    def class_member(self) -> CharSet:
        start = self.at
        if self.pattern.startswith("[:", start):
            raise PatternError(
                "`[:` is POSIX's syntax", start, help=r"Java writes \p{Alpha}, \p{Digit}, ..."
            )
        if self.take("["):
            return self.char_class(start)
        first = self.class_point()
        if isinstance(first, CharSet):
            return first
        following = self.pattern[self.at + 1 : self.at + 2]
        if self.peek() != "-" or following in {"", "]", "["}:
            return CharSet.span(first, first)
        self.at += 1
        last = self.class_point()
        if isinstance(last, CharSet):
            raise PatternError("a range ends in a class", start, help=r"a literal `-` is `\-`")
        if last < first:
            raise PatternError(f"the range {self.pattern[start : self.at]} runs backwards", start)
        return CharSet.span(first, last)

    def class_point(self) -> int | CharSet:
        start = self.at
        char = self.next()
        if char != "\\":
            return ord(char)
        if self.at >= len(self.pattern):
            raise PatternError("the pattern ends in `\\`", start, help=r"a literal one is `\\`")
        if self.peek() in "QE":
            raise PatternError(r"\Q inside a class is not supported", start)
        point = self.escaped_point(start)
        return self.escaped_set(start) if point is None else point

    def check_references(self) -> None:
        for reference, position in self.references:
            if reference > self.groups:
                raise PatternError(f"there is no group `{reference}` to refer to", position)

    def peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def next(self) -> str:
        self.at += 1
        return self.pattern[self.at - 1]

    def take(self, text: str) -> bool:
        if self.pattern.startswith(text, self.at):
            self.at += len(text)
            return True
        return False
