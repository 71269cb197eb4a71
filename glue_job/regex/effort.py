"""How long Java's backtracking matcher can take: counted on the pattern's automaton, not timed.

Each way through the automaton along a prefix of a value is one path that the matcher walks before
it gives up. The number of such paths is a sum over positions, so the worst case of an adversarial
value is exact and cheap to have, even where the matcher itself would run for years.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from glue_job.regex.charset import ANY, BITS
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
    least_size,
    starts_at_start,
)

MOST_STEPS = 50_000_000
"""About one second of one core in Java 17: 5e7 steps of `(.*a){3}$` took 0.9 s."""
MOST_FRAMES = 5_000
"""Java recurses once per repetition of a group; a thread's 1 MB held 6,000 to 12,000 calls."""
LENGTHS = (100_000, 50_000, 20_000, 10_000, 5_000, 2_000, 1_000, 500, 250)
"""Bounds on the length of a value, of which the largest safe one is taken."""
MOST_POSITIONS = 600

_MOST_COPIES = 12
"""A larger count is taken as a repetition without bound, which has at least as many paths."""
_MOST_SKIPPABLE = 40
_GROUP_SLOWNESS = 5
"""A step through a repeated group beside one through a repeated character."""
_SEARCH_LENGTH = 20
_BEAM = 6
_SAMPLES = (48, 96)


class UnsafePatternError(ValueError):
    """A pattern that could hang or end the job."""

    def __init__(self, message: str, help: str) -> None:
        """Say what is unsafe and what to write instead."""
        super().__init__(message)
        self.help = help


@dataclass
class _Part:
    """A part of the automaton: how often each position can come first and last in it."""

    is_optional: bool
    first: Counter[int] = field(default_factory=Counter)
    last: Counter[int] = field(default_factory=Counter)


class _Automaton:
    """Glushkov's automaton; an edge counts as often as the pattern has ways to take it."""

    def __init__(self, tree: Node) -> None:
        self.accepted: list[int] = []
        self.follow: list[Counter[int]] = []
        self.looks: list[Node] = []
        whole = self.build(tree)
        self.first = whole.first
        # A path that reaches an accepting position ends the search; `$` is a position that no
        # character reaches.
        self.ends = {position for position in whole.last if self.accepted[position]}
        self.is_anchored = starts_at_start(tree)

    def position(self, accepted: int) -> _Part:
        if len(self.accepted) >= MOST_POSITIONS:
            raise UnsafePatternError("the pattern is too large to be checked", "split it")
        self.accepted.append(accepted)
        self.follow.append(Counter())
        here = len(self.accepted) - 1
        return _Part(False, Counter({here: 1}), Counter({here: 1}))

    def build(self, node: Node) -> _Part:
        match node:
            case Chars(accepted):
                return self.position(accepted.may)
            case Edge(is_end=True):
                return self.position(0)
            case Edge():
                return _Part(is_optional=True)
            case Look(part):
                self.looks.append(part)
                return _Part(is_optional=True)
            case BackReference():
                return self.loop(self.position(ANY.may), is_optional=True)
            case Group(part):
                return self.build(part)
            case Choice(options):
                built = [self.build(option) for option in options]
                return _Part(
                    any(option.is_optional for option in built),
                    _total(option.first for option in built),
                    _total(option.last for option in built),
                )
            case Sequence(parts):
                whole = _Part(is_optional=True)
                for part in parts:
                    whole = self.join(whole, self.build(part))
                return whole
            case Repeat(part, least, most):
                return self.repeat(part, least, most)

    def join(self, left: _Part, right: _Part) -> _Part:
        self.connect(left, right)
        return _Part(
            left.is_optional and right.is_optional,
            left.first + right.first if left.is_optional else left.first,
            left.last + right.last if right.is_optional else right.last,
        )

    def connect(self, left: _Part, right: _Part) -> None:
        for before, ways_out in left.last.items():
            for after, ways_in in right.first.items():
                self.follow[before][after] += ways_out * ways_in

    def loop(self, part: _Part, *, is_optional: bool) -> _Part:
        self.connect(part, part)
        return _Part(part.is_optional or is_optional, part.first, part.last)

    def repeat(self, part: Node, least: int, most: int | None) -> _Part:
        if most is not None and most > _MOST_COPIES and least_size(part) == 0:
            # Leaving copies out in different places are different paths, which a loop has not.
            least, most = min(least, _MOST_SKIPPABLE), min(most, _MOST_SKIPPABLE)
        elif most is None or most > _MOST_COPIES:
            most = None
        if most is None:
            copies = least if least <= _MOST_COPIES else 1
            whole = _Part(is_optional=True)
            for _ in range(copies - 1):
                whole = self.join(whole, self.build(part))
            return self.join(whole, self.loop(self.build(part), is_optional=least == 0))
        whole = _Part(is_optional=True)
        for _ in range(most - least):
            # X{0,2} is (X(X)?)?: the copies that may be left out stand inside each other.
            inner = self.join(self.build(part), whole)
            whole = _Part(is_optional=True, first=inner.first, last=inner.last)
        for _ in range(least):
            whole = self.join(self.build(part), whole)
        return whole

    def is_deterministic(self) -> bool:
        """Tell whether every character leaves at most one way to go."""
        return all(map(self._is_single_way, (self.first, *self.follow)))

    def _is_single_way(self, ways: Counter[int]) -> bool:
        taken = 0
        for position, count in ways.items():
            accepted = self.accepted[position]
            if accepted and (count > 1 or taken & accepted):
                return False
            taken |= accepted
        return True

    def alphabet(self) -> list[int]:
        """Give one bit for each group of characters that the pattern tells apart."""
        groups: dict[tuple[bool, ...], int] = {}
        for bit in range(BITS):
            groups.setdefault(tuple(bool(at >> bit & 1) for at in self.accepted), bit)
        kinds = sorted(groups, key=sum, reverse=True)
        return [groups[kind] for kind in kinds if any(kind)][:14]

    def advance(self, paths: dict[int, int], bit: int) -> tuple[dict[int, int], int]:
        """Move all paths over one character; give those that go on, and the steps it took."""
        moved: dict[int, int] = {}
        steps = 0
        for position, count in paths.items():
            ways = self.first if position < 0 else self.follow[position]
            steps += count * (1 + len(ways))
            for target, multiplicity in ways.items():
                if self.accepted[target] >> bit & 1:
                    moved[target] = moved.get(target, 0) + count * multiplicity
        for position in self.ends:
            moved.pop(position, None)
        if not self.is_anchored:
            moved[_START] = 1
        return moved, steps

    def steps(self, head: tuple[int, ...], cycle: tuple[int, ...], length: int) -> int:
        """Count the steps on a value that begins with `head` and goes on with `cycle`."""
        paths, total = {_START: 1}, 0
        for index in range(length):
            bit = head[index] if index < len(head) else cycle[(index - len(head)) % len(cycle)]
            paths, steps = self.advance(paths, bit)
            total += steps
            if not paths:
                break
        return total


_START = -1
"""The place before the first character of a match."""


def _total(counters: Iterable[Counter[int]]) -> Counter[int]:
    total: Counter[int] = Counter()
    for counter in counters:
        total += counter
    return total


def longest_safe_value(tree: Node) -> int:
    """Give the length of values up to which matching is quick and within Java's stack.

    Raises:
        UnsafePatternError: there is no such length, or the pattern is too large to tell.
    """
    deepest = _stack_limit(tree)
    if deepest < LENGTHS[-1]:
        raise UnsafePatternError(
            "the pattern repeats a large group: Java's stack could overflow",
            "make the repeated group smaller, or bound how often it is repeated",
        )
    steps_at = _effort(tree)
    for length in LENGTHS:
        if length <= deepest and steps_at(length) <= MOST_STEPS:
            return length
    raise UnsafePatternError(
        "the pattern can take very long on some values: its repetitions overlap",
        "what follows a repetition must not be able to match what is repeated: "
        "`[^,]*,` rather than `.*,`, `(?:[a-z]+-)*` rather than `(?:[a-z]+-?)*`",
    )


def _effort(tree: Node) -> Callable[[int], float]:
    automaton = _Automaton(tree)
    looks = [_effort(look) for look in automaton.looks]
    grows_by, factor = _growth(automaton, tree)

    def steps_at(length: int) -> float:
        own = factor * length**grows_by if grows_by < 40 else math.inf
        # A look-around may be tried wherever the matcher stands; most stand at the start.
        visits = 1 if automaton.is_anchored else length
        return own + sum(visits * look(length) for look in looks)

    return steps_at


def _growth(automaton: _Automaton, tree: Node) -> tuple[float, float]:
    """Give exponent and factor of the number of steps as a power of the length."""
    longest = greatest_size(tree)
    starts = 0 if automaton.is_anchored else 1
    ways = 1 + max((len(follow) for follow in automaton.follow), default=1)
    if automaton.is_deterministic():
        walk = (1.0, 1.0) if longest is None else (0.0, float(longest + 1))
        # Starts at every character walk half of the value on average.
        slowness = _GROUP_SLOWNESS if _repeats_a_group(tree) else 1
        return starts + walk[0], slowness * ways * walk[1] / (1 + starts)
    worst = (float(starts), float(ways))
    worst_steps = 0
    for head, cycle in _adversaries(automaton):
        short, long = (automaton.steps(head, cycle, length) for length in _SAMPLES)
        if long > worst_steps and short:
            worst_steps = long
            exponent = max(math.log2(long / short), starts)
            worst = (exponent, long / _SAMPLES[1] ** exponent if exponent < 40 else 1.0)
    return worst


def _adversaries(automaton: _Automaton) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Search for values with many paths: the best ones found, each with its tail repeated."""
    alphabet = automaton.alphabet()
    beam: list[tuple[tuple[int, ...], dict[int, int]]] = [((), {_START: 1})]
    best: dict[int, tuple[int, ...]] = {}
    for size in range(1, _SEARCH_LENGTH + 1):
        grown: dict[tuple[tuple[int, int], ...], tuple[tuple[int, ...], dict[int, int]]] = {}
        for value, paths in beam:
            for bit in alphabet:
                moved, _ = automaton.advance(paths, bit)
                if moved.keys() - {_START}:
                    grown.setdefault(tuple(sorted(moved.items())), ((*value, bit), moved))
        if not grown:
            break
        beam = sorted(grown.values(), key=lambda item: -sum(item[1].values()))[:_BEAM]
        best[size] = beam[0][0]
    found = []
    for size in (6, 10, _SEARCH_LENGTH):
        if size in best:
            value = best[size]
            found += [(value, value[-period:]) for period in range(1, 6)]
    return found


def _repeats_a_group(node: Node) -> bool:
    match node:
        case Repeat(part, _, most):
            return not isinstance(part, Chars) and most != 1
        case Group(part) | Look(part):
            return _repeats_a_group(part)
        case Sequence(parts) | Choice(parts):
            return any(map(_repeats_a_group, parts))
        case _:
            return False


def _stack_limit(node: Node) -> float:
    """Give the length of values up to which Java's recursion fits into a thread's stack."""
    match node:
        case Group(part) | Look(part):
            return _stack_limit(part)
        case Sequence(parts):
            return min(map(_stack_limit, parts), default=math.inf)
        case Choice(options):
            return min(map(_stack_limit, options))
        case Repeat(part, _, most):
            inner = _stack_limit(part)
            if isinstance(part, Chars) or (
                isinstance(part, Group) and isinstance(part.part, Chars)
            ):
                return inner
            depth = 1 + _frames(part)
            if most is not None and most * depth <= MOST_FRAMES:
                return inner
            return min(inner, MOST_FRAMES // depth * max(1, least_size(part)))
        case _:
            return math.inf


def _frames(node: Node) -> int:
    """Count the calls that Java's matcher makes inside each other to pass a part once."""
    match node:
        case Group(part):
            return 2 + _frames(part)
        case Sequence(parts):
            return sum(map(_frames, parts))
        case Choice(options):
            return 2 + max(map(_frames, options))
        case Repeat(part, _, most):
            times = 1 if most is None else min(most, _MOST_COPIES)
            return 1 if isinstance(part, Chars) else 1 + times * _frames(part)
        case _:
            return 1
