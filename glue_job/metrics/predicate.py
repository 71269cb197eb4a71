"""Conditions of `compliance`: a closed grammar, so that nothing else reaches Spark's SQL parser.

Spark's SQL can call into the Java machine (`java_method`, `reflect`). Only what this grammar
knows is let through, and it is written anew from the parsed form rather than passed on as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glue_job.contract.types import DataType

FUNCTIONS = {
    "abs": ("number", "number"),
    "coalesce": ("", ""),
    "length": ("text", "number"),
    "lower": ("text", "text"),
    "trim": ("text", "text"),
    "upper": ("text", "text"),
}
"""Functions with the kind of value they take and give; `coalesce` takes several of one kind."""
LONGEST = 4_000
DEEPEST_NESTING = 40

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?(?![\w.]))
      | (?P<text>'(?:[^'\\]|'')*')
      | (?P<quoted>`[^`]+`)
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign><=>|<=|>=|<>|!=|==|[=<>+\-*/%(),])
    )""",
    re.VERBOSE | re.ASCII,
)
_LOGIC = ("and", "or", "not", "is", "null", "in", "between", "like")
_KEYWORDS = frozenset((*_LOGIC, "true", "false", "date", "timestamp"))
_COMPARISONS = {"=", "==", "<>", "!=", "<", "<=", ">", ">=", "<=>"}
_KINDS = {"string": "text", "boolean": "boolean", "date": "moment", "timestamp": "moment"}
_UNKNOWN = ""
"""The kind of NULL, and of a column whose type is not known: fits every other."""
_DATE = re.compile(r"'\d{4}-\d{2}-\d{2}'", re.ASCII)
_TIMESTAMP = re.compile(
    r"'\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?'", re.ASCII
)


class PredicateError(ValueError):
    """Why a condition is refused; `position` counts its characters from 0."""

    def __init__(self, message: str, position: int, help: str = "") -> None:
        """Say what is wrong at which character."""
        super().__init__(f"{message}, at character {position + 1}")
        self.position = position
        self.help = help


@dataclass(frozen=True)
class Predicate:
    """A condition: its SQL as Spark may have it, and the columns it reads in order."""

    sql: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    position: int

    @property
    def keyword(self) -> str:
        """Give the word in small letters when it is a keyword, else an empty text."""
        word = self.text.lower()
        return word if self.kind == "word" and word in _KEYWORDS else ""


@dataclass(frozen=True)
class _Term:
    """A part that has been read: its SQL, what kind of value it has, where it stood."""

    sql: str
    kind: str
    position: int


def parse_predicate(text: str, types: Mapping[str, DataType] | None = None) -> Predicate:
    """Read a condition; PredicateError says what is refused and where.

    Args:
        text: the condition as tables.yaml has it.
        types: the columns there are; without them names and types are not checked.
    """
    if len(text) > LONGEST:
        raise PredicateError(f"a condition of more than {LONGEST} characters", LONGEST)
    reader = _Reader(_tokens(text), len(text), types)
    condition = reader.condition()
    reader.finish()
    reader.need_kind(condition, "boolean")
    return Predicate(condition.sql, tuple(reader.columns))


def _tokens(text: str) -> list[_Token]:
    tokens = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            raise PredicateError(*_unreadable(text, start))
        kind = match.lastgroup
        tokens.append(_Token(kind, match[kind], match.start(kind)))
        position = match.end()
    return tokens


def _unreadable(text: str, start: int) -> tuple[str, int, str]:
    match text[start]:
        case "'":
            return (
                "this text has no end, or holds a backslash",
                start,
                "a quote inside a text is written ''",
            )
        case '"':
            return "texts stand in single quotes", start, "write 'active'"
        case char if char.isdigit():
            return "this is not a number", start, ""
        case char:
            return f"`{char}` has no meaning in a condition", start, ""


def _spark_text(text: str) -> str:
    """Write a text as Spark 3.5 reads it: to it, two quotes end one literal and begin the next."""
    return "'" + text[1:-1].replace("''", "\\'") + "'"


class _Reader:
    """Recursive descent; each method gives the SQL and the kind of what it has read."""

    def __init__(
        self, tokens: list[_Token], end: int, types: Mapping[str, DataType] | None
    ) -> None:
        self.tokens = tokens
        self.end = end
        self.types = types
        self.at = 0
        self.depth = 0
        self.columns: dict[str, None] = {}

    def condition(self) -> _Term:
        return self.chain(self.conjunction, "or")

    def conjunction(self) -> _Term:
        return self.chain(self.negation, "and")

    def chain(self, operand: Callable[[], _Term], keyword: str) -> _Term:
        left = operand()
        while self.take_keyword(keyword):
            right = operand()
            self.need_kind(left, "boolean")
            self.need_kind(right, "boolean")
            sql = f"({left.sql} {keyword.upper()} {right.sql})"
            left = _Term(sql, "boolean", left.position)
        return left

    def negation(self) -> _Term:
        position = self.peek().position
        if self.take_keyword("not"):
            negated = self.need_kind(self.nested(self.negation), "boolean")
            return _Term(f"(NOT {negated.sql})", "boolean", position)
        return self.test()

    def test(self) -> _Term:
        left = self.sum()
        sql = self.test_of(left)
        return left if sql is None else _Term(f"({left.sql} {sql})", "boolean", left.position)

    def test_of(self, left: _Term) -> str | None:
        token = self.peek()
        if token.kind == "sign" and token.text in _COMPARISONS:
            self.at += 1
            right = self.comparable(left)
            self.refuse_chain()
            return f"{token.text} {right.sql}"
        if self.take_keyword("is"):
            negated = "NOT " if self.take_keyword("not") else ""
            self.need_keyword("null")
            return f"IS {negated}NULL"
        negated = "NOT " if self.take_keyword("not") else ""
        if self.take_keyword("in"):
            return f"{negated}IN ({self.values(left)})"
        if self.take_keyword("between"):
            low = self.comparable(left)
            self.need_keyword("and")
            return f"{negated}BETWEEN {low.sql} AND {self.comparable(left).sql}"
        if self.take_keyword("like"):
            self.need_kind(left, "text")
            return f"{negated}LIKE {self.pattern()}"
        if negated:
            raise self.unexpected("IN, BETWEEN or LIKE after NOT")
        return None

    def comparable(self, left: _Term) -> _Term:
        right = self.sum()
        kinds = {left.kind, right.kind}
        if len(kinds) == 2 and _UNKNOWN not in kinds and kinds != {"text", "moment"}:
            raise PredicateError(f"compares a {left.kind} with a {right.kind}", right.position)
        return right

    def refuse_chain(self) -> None:
        token = self.peek()
        if token.kind == "sign" and token.text in _COMPARISONS:
            raise PredicateError(
                "comparisons do not chain", token.position, "write `a < b AND b < c`"
            )

    def values(self, left: _Term) -> str:
        self.need_sign("(")
        values = [self.comparable(left).sql]
        while self.take_sign(","):
            values.append(self.comparable(left).sql)
        self.need_sign(")")
        return ", ".join(values)

    def pattern(self) -> str:
        if self.peek().kind != "text":
            raise self.unexpected("a text after LIKE")
        return _spark_text(self.next().text)

    def sum(self) -> _Term:
        return self.arithmetic(self.product, "+-")

    def product(self) -> _Term:
        return self.arithmetic(self.signed, "*/%")

    def arithmetic(self, operand: Callable[[], _Term], signs: str) -> _Term:
        left = operand()
        while self.peek().kind == "sign" and self.peek().text in signs:
            sign = self.next().text
            right = operand()
            self.need_kind(left, "number")
            self.need_kind(right, "number")
            left = _Term(f"({left.sql} {sign} {right.sql})", "number", left.position)
        return left

    def signed(self) -> _Term:
        position = self.peek().position
        if self.take_sign("-"):
            number = self.need_kind(self.nested(self.signed), "number")
            # The space keeps two signs from becoming the start of an SQL comment.
            return _Term(f"(- {number.sql})", "number", position)
        if self.take_sign("+"):
            return self.need_kind(self.nested(self.signed), "number")
        return self.operand()

    def operand(self) -> _Term:
        token = self.peek()
        if token.kind in {"number", "text"}:
            self.at += 1
            sql = token.text if token.kind == "number" else _spark_text(token.text)
            return _Term(sql, token.kind, token.position)
        if self.take_sign("("):
            inner = self.nested(self.condition)
            self.need_sign(")")
            return inner
        if token.keyword in {"true", "false", "null"}:
            self.at += 1
            kind = _UNKNOWN if token.keyword == "null" else "boolean"
            return _Term(token.keyword.upper(), kind, token.position)
        if token.keyword in {"date", "timestamp"} and self.peek(1).kind == "text":
            return self.moment()
        if token.kind == "word" and self.peek(1).text == "(":
            return self.call()
        if token.kind in {"word", "quoted"} and token.keyword in {"", "date", "timestamp"}:
            return self.column()
        raise self.unexpected("a column, a value or `(`")

    def moment(self) -> _Term:
        keyword, text = self.next(), self.next()
        shape = _DATE if keyword.keyword == "date" else _TIMESTAMP
        if not shape.fullmatch(text.text) and not _DATE.fullmatch(text.text):
            raise PredicateError(f"{text.text} is not a {keyword.keyword}", text.position)
        return _Term(f"{keyword.keyword.upper()} {text.text}", "moment", keyword.position)

    def call(self) -> _Term:
        token = self.next()
        name = token.text.lower()
        if name not in FUNCTIONS:
            raise PredicateError(
                f"function `{token.text}` is not allowed here",
                token.position,
                "allowed: " + ", ".join(FUNCTIONS),
            )
        self.need_sign("(")
        arguments = [self.nested(self.sum)]
        while self.take_sign(","):
            arguments.append(self.nested(self.sum))
        self.need_sign(")")
        takes, gives = FUNCTIONS[name]
        if name == "coalesce":
            takes = gives = next((term.kind for term in arguments if term.kind), _UNKNOWN)
        elif len(arguments) != 1:
            raise PredicateError(f"`{name}` takes one argument", token.position)
        for argument in arguments:
            self.need_kind(argument, takes)
        return _Term(f"{name}({', '.join(a.sql for a in arguments)})", gives, token.position)

    def column(self) -> _Term:
        token = self.next()
        name = token.text.strip("`")
        kind = _UNKNOWN
        if self.types is not None:
            if name not in self.types:
                near = get_close_matches(name.lower(), list(self.types), n=1, cutoff=0.6)
                raise PredicateError(
                    f"column `{name}` is not in the schema",
                    token.position,
                    f"did you mean `{near[0]}`?" if near else "known: " + ", ".join(self.types),
                )
            kind = _KINDS.get(self.types[name].name, "number")
        self.columns[name] = None
        return _Term(f"`{name}`", kind, token.position)

    def nested(self, read: Callable[[], _Term]) -> _Term:
        self.depth += 1
        if self.depth > DEEPEST_NESTING:
            raise PredicateError("nested too deeply", self.peek().position)
        term = read()
        self.depth -= 1
        return term

    def need_kind(self, term: _Term, kind: str) -> _Term:
        if _UNKNOWN not in {term.kind, kind} and term.kind != kind:
            wanted = "condition" if kind == "boolean" else kind
            raise PredicateError(f"expected a {wanted}, found a {term.kind}", term.position)
        return term

    def finish(self) -> None:
        if self.peek().kind != "end":
            raise self.unexpected("the end, AND or OR")

    def unexpected(self, wanted: str) -> PredicateError:
        token = self.peek()
        found = "the end" if token.kind == "end" else f"`{token.text}`"
        return PredicateError(f"expected {wanted}, found {found}", token.position)

    def peek(self, ahead: int = 0) -> _Token:
        index = self.at + ahead
        return self.tokens[index] if index < len(self.tokens) else _Token("end", "", self.end)

    def next(self) -> _Token:
        token = self.peek()
        self.at += 1
        return token

    def take_keyword(self, keyword: str) -> bool:
        taken = self.peek().keyword == keyword
        self.at += taken
        return taken

    def need_keyword(self, keyword: str) -> None:
        if not self.take_keyword(keyword):
            raise self.unexpected(keyword.upper())

    def take_sign(self, sign: str) -> bool:
        token = self.peek()
        taken = token.kind == "sign" and token.text == sign
        self.at += taken
        return taken

    def need_sign(self, sign: str) -> None:
        if not self.take_sign(sign):
            raise self.unexpected(f"`{sign}`")
