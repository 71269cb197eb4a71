"""A pattern as a tree."""

from __future__ import annotations

from dataclasses import dataclass

from glue_job.regex.charset import CharSet


@dataclass(frozen=True)
class Chars:
    """One character of a set."""

    accepted: CharSet


@dataclass(frozen=True)
class Edge:
    """A place between characters; `is_start` and `is_end` are those of the whole text."""

    is_start: bool = False
    is_end: bool = False


@dataclass(frozen=True)
class Sequence:
    """One part after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Choice:
    """One of several parts, tried in order."""

    options: tuple[Node, ...]


@dataclass(frozen=True)
class Group:
    """A part in parentheses."""

    part: Node


@dataclass(frozen=True)
class Repeat:
    """A part several times; `most` None is without bound."""

    part: Node
    least: int
    most: int | None


@dataclass(frozen=True)
class Look:
    """A part that is matched without moving on."""

    part: Node
    is_behind: bool


@dataclass(frozen=True)
class BackReference:
    """The text of an earlier group again."""


Node = Chars | Edge | Sequence | Choice | Group | Repeat | Look | BackReference


def greatest_size(node: Node) -> int | None:
    """Give the most characters a part can take; None is without bound."""
    match node:
        case Chars():
            return 1
        case Edge() | Look():
            return 0
        case BackReference():
            return None
        case Group(part):
            return greatest_size(part)
        case Sequence(parts):
            sizes = [greatest_size(part) for part in parts]
            return None if None in sizes else sum(size or 0 for size in sizes)
        case Choice(options):
            sizes = [greatest_size(option) for option in options]
            return None if None in sizes else max(size or 0 for size in sizes)
        case Repeat(part, _, most):
            size = greatest_size(part)
            return None if size is None or most is None else size * most


def least_size(node: Node) -> int:
    """Give the fewest characters a part can take."""
    match node:
        case Chars():
            return 1
        case Edge() | Look() | BackReference():
            return 0
        case Group(part):
            return least_size(part)
        case Sequence(parts):
            return sum(map(least_size, parts))
        case Choice(options):
            return min(map(least_size, options))
        case Repeat(part, least, _):
            return least * least_size(part)


def starts_at_start(node: Node) -> bool:
    """Tell whether every match begins at the start of the text."""
    match node:
        case Edge(is_start):
            return is_start
        case Group(part):
            return starts_at_start(part)
        case Choice(options):
            return all(map(starts_at_start, options))
        case Repeat(part, least, _):
            return least > 0 and starts_at_start(part)
        case Sequence(parts):
            for part in parts:
                if starts_at_start(part):
                    return True
                if greatest_size(part) != 0:
                    return False
            return False
        case _:
            return False
