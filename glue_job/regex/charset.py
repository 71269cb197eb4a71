"""Sets of characters, exact for ASCII and bracketed from both sides beyond it."""

from __future__ import annotations

from dataclasses import dataclass

OTHER = 128
"""The bit of all characters beyond ASCII but the next two."""
NEXT_LINE = 129
"""U+0085: white space to no class of Java but `\\h`, `\\v`, `\\R`; a line end to `.`."""
LINE_SEPARATORS = 130
"""U+2028 and U+2029."""
BITS = 131

_ALL = (1 << BITS) - 1
_ASCII = (1 << OTHER) - 1


@dataclass(frozen=True)
class CharSet:
    """Characters as bits: those that `may` be in the set, and those that `must` all be."""

    may: int
    must: int

    @classmethod
    def exactly(cls, bits: int) -> CharSet:
        """Make a set whose bits are wholly in or out."""
        return cls(bits, bits)

    @classmethod
    def span(cls, first: int, last: int) -> CharSet:
        """Make the set of the code points from `first` to `last`."""
        ascii_bits = 0
        if first < OTHER:
            ascii_bits = (1 << (min(last, OTHER - 1) + 1)) - (1 << first)
        beyond = 0
        if last >= OTHER:
            for low, high, bit in ((0x85, 0x85, NEXT_LINE), (0x2028, 0x2029, LINE_SEPARATORS)):
                beyond |= (first <= high and last >= low) << bit
            beyond |= ((first, last) not in {(0x85, 0x85), (0x2028, 0x2029)}) << OTHER
        whole = beyond if first <= OTHER and last >= 0x10FFFF else 0
        return cls(ascii_bits | beyond, ascii_bits | whole)

    @classmethod
    def of(cls, text: str) -> CharSet:
        """Make the set of the characters of a text."""
        made = EMPTY
        for char in text:
            made |= cls.span(ord(char), ord(char))
        return made

    def __or__(self, other: CharSet) -> CharSet:
        """Join two sets."""
        return CharSet(self.may | other.may, self.must | other.must)

    def __and__(self, other: CharSet) -> CharSet:
        """Intersect two sets."""
        return CharSet(self.may & other.may, self.must & other.must)

    def __invert__(self) -> CharSet:
        """Give all other characters."""
        return CharSet(~self.must & _ALL, ~self.may & _ALL)

    def ignoring_case(self) -> CharSet:
        """Add the other case of every ASCII letter."""
        return CharSet(_fold(self.may), _fold(self.must))


def _fold(bits: int) -> int:
    upper, lower = bits & _UPPER.may, bits & _LOWER.may
    return bits | (upper << 32) | (lower >> 32)


EMPTY = CharSet(0, 0)
ANY = CharSet.exactly(_ALL)
_UPPER, _LOWER = CharSet.span(65, 90), CharSet.span(97, 122)
_DIGIT = CharSet.span(48, 57)
_BEYOND = CharSet(_ALL & ~_ASCII, 0)
"""Some characters beyond ASCII, unknown which."""

NOT_LINE_END = ~(CharSet.of("\n\r") | CharSet.exactly(1 << NEXT_LINE | 1 << LINE_SEPARATORS))
"""What `.` matches without the `s` flag."""
CLASSES = {
    "d": _DIGIT,
    "w": _DIGIT | _UPPER | _LOWER | CharSet.of("_"),
    "s": CharSet.of(" \t\n\x0b\f\r"),
    "h": CharSet.of(" \t") | _BEYOND,
    "v": CharSet.of("\n\x0b\f\r") | CharSet.exactly(1 << NEXT_LINE | 1 << LINE_SEPARATORS),
}
_PUNCTUATION = CharSet.of("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
ASCII_PROPERTIES = {
    "Lower": _LOWER,
    "Upper": _UPPER,
    "ASCII": CharSet.exactly(_ASCII),
    "Alpha": _UPPER | _LOWER,
    "Digit": _DIGIT,
    "Alnum": _UPPER | _LOWER | _DIGIT,
    "Punct": _PUNCTUATION,
    "Graph": CharSet.span(33, 126),
    "Print": CharSet.span(32, 126),
    "Blank": CharSet.of(" \t"),
    "Cntrl": CharSet.span(0, 31) | CharSet.of("\x7f"),
    "XDigit": _DIGIT | CharSet.span(65, 70) | CharSet.span(97, 102),
    "Space": CharSet.of(" \t\n\x0b\f\r"),
}
_LETTERS = _UPPER | _LOWER | _BEYOND
UNICODE_PROPERTIES = {
    "L": _LETTERS,
    "Lu": _UPPER | _BEYOND,
    "Ll": _LOWER | _BEYOND,
    "Lt": _BEYOND,
    "Lm": _BEYOND,
    "Lo": _BEYOND,
    "M": _BEYOND,
    "Mn": _BEYOND,
    "Mc": _BEYOND,
    "N": _DIGIT | _BEYOND,
    "Nd": _DIGIT | _BEYOND,
    "Nl": _BEYOND,
    "No": _BEYOND,
    "P": _PUNCTUATION | _BEYOND,
    "Pd": CharSet.of("-") | _BEYOND,
    "Ps": CharSet.of("([{") | _BEYOND,
    "Pe": CharSet.of(")]}") | _BEYOND,
    "Pc": CharSet.of("_") | _BEYOND,
    "Po": _PUNCTUATION | _BEYOND,
    "S": _PUNCTUATION | _BEYOND,
    "Sc": CharSet.of("$") | _BEYOND,
    "Sm": CharSet.of("+<=>|~") | _BEYOND,
    "Sk": CharSet.of("^`") | _BEYOND,
    "So": _BEYOND,
    "Z": CharSet.of(" ") | _BEYOND,
    "Zs": CharSet.of(" ") | _BEYOND,
    "C": CharSet.span(0, 31) | CharSet.of("\x7f") | _BEYOND,
    "Cc": CharSet.span(0, 31) | CharSet.of("\x7f") | _BEYOND,
    "IsAlphabetic": _LETTERS,
    "IsLetter": _LETTERS,
    "IsDigit": _DIGIT | _BEYOND,
    "IsUppercase": _UPPER | _BEYOND,
    "IsLowercase": _LOWER | _BEYOND,
    "IsPunctuation": _PUNCTUATION | _BEYOND,
    "IsWhite_Space": CharSet.of(" \t\n\x0b\f\r") | _BEYOND,
    "IsLatin": _LETTERS,
    "IsGreek": _BEYOND,
    "IsCyrillic": _BEYOND,
    "IsHan": _BEYOND,
}
