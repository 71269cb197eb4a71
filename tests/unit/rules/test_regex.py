"""Patterns: Java's syntax without a Java machine, a strict `$`, and a bound on time."""

from __future__ import annotations

import time

import pytest

from glue_job.regex import LONGEST_VALUE, inspect

ORDINARY = [
    r"^[A-HJ-NPR-Z0-9]{17}$",
    r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$",
    r"^[A-Za-z0-9._%+-]+@([A-Za-z0-9-]+\.)+[A-Za-z]{2,}$",
    r"^.+@.+\..+$",
    r".+@.+\..+",
    r"^\+?[0-9 ()-]{7,20}$",
    r"^\(?\d{3}\)?[-. ]?\d{3}[-. ]?\d{4}$",
    r"^[A-Z]{1,3}-[A-Z]{1,2} ?\d{1,4}[EH]?$",
    r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$",
    r"^(25[0-5]|2[0-4]\d|[01]?\d\d?)(\.(25[0-5]|2[0-4]\d|[01]?\d\d?)){3}$",
    r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:?\d{2})$",
    r"^[a-z0-9]+(?:-[a-z0-9]+)*$",
    r"^\w+(\s\w+)*$",
    r"^(?=.*[A-Z])(?=.*\d).{8,}$",
    r"(?i)^(active|idle|retired)$",
    r"^(INFO|INIT)+$",
    r"^-?\d{1,3}(,\d{3})*(\.\d+)?$",
    r"^https?://[^\s/$.?#].[^\s]*$",
    r"^[\p{L}\p{M}' -]+$",
    r"^(?<area>\d{3})-\k<area>$",
    r".*foo.*bar",
    r"\d+-\d+",
    r"^[^@]+@[^@]+$",
    r"\S",
]

DANGEROUS = [
    r"(.*a){12}$",
    r"(a+)+$",
    r"(a*)*b",
    r"(a|a)*b",
    r"^(a|aa)+$",
    r"^(.|\s)*$",
    r"(x+x+)+y",
    r"(\w+\s?)*$",
    r"([a-zA-Z]+)*\d",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"^(\w{1,50}\s?){1,50}$",
    r"(?:.*,){11}P",
    r"(.*foo){12}$",
    r"(a?){30}a{30}b",
    r".*.*.*.*.*=.*",
    r"abc(d+|e)(.*,)+.*;$",
    r"(?=(a+)+b)c",
    r"(?i)^(a|A)+$",
    r"^(é|é)+$",
    r"^([a-z]+|\d)*-([a-z]+|[a-f])*$",
]


@pytest.mark.parametrize("pattern", ORDINARY)
def test_an_ordinary_pattern_is_accepted(pattern: str) -> None:
    found = inspect(pattern)
    assert found.faults == ()
    assert found.longest_value >= 250


@pytest.mark.parametrize("pattern", DANGEROUS)
def test_overlapping_repetitions_are_refused(pattern: str) -> None:
    (fault,) = inspect(pattern).faults
    assert fault.message.startswith("the pattern can take very long on some values")
    assert fault.help


def test_a_pattern_is_judged_quickly_even_when_its_matcher_would_not_end() -> None:
    inspect.cache_clear()
    began = time.perf_counter()
    for pattern in (*ORDINARY, *DANGEROUS):
        inspect(pattern)
    assert time.perf_counter() - began < 5


def test_the_length_of_values_is_bounded_by_the_worst_case() -> None:
    assert inspect(r"^[a-z]+$").longest_value == LONGEST_VALUE
    # One attempt per start: a square of the length.
    assert 1_000 <= inspect(r"\d+-\d+").longest_value < LONGEST_VALUE
    # Java recurses once per repetition of a group.
    assert inspect(r"^(ab|c)*$").longest_value < 1_000


def test_a_large_repeated_group_is_refused() -> None:
    (fault,) = inspect("^(?:" + "(a)?(b)?(c)?(d)?" * 3 + ")*$").faults
    assert fault.message.startswith("the pattern repeats a large group")


def test_a_huge_pattern_is_refused() -> None:
    (fault,) = inspect("|".join(f"word{number}" for number in range(500))).faults
    assert fault.message == "the pattern is too large to be checked"


@pytest.mark.parametrize(
    ("pattern", "java"),
    [
        (r"^a$", r"^a\z"),
        (r"a$|b$", r"a\z|b\z"),
        (r"\$", r"\$"),
        (r"[$]", r"[$]"),
        (r"[^]$]$", r"[^]$]\z"),
        (r"\\$", r"\\\z"),
        (r"\Q$\E$", r"\Q$\E\z"),
        (r"(?:a$)?", r"(?:a\z)?"),
        (r"[a&&[^$]]$", r"[a&&[^$]]\z"),
    ],
)
def test_a_dollar_is_the_very_end(pattern: str, java: str) -> None:
    assert inspect(pattern).java_pattern == java


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(a", "the group is never closed, at character 1"),
        ("a)", "`)` closes no group, at character 2"),
        ("[a-", "the class is never closed, at character 1"),
        ("[", "the class is never closed, at character 1"),
        ("[]", "the class is never closed, at character 1"),
        ("[z-a]", "the range z-a runs backwards, at character 2"),
        ("[a-\\d]", "a range ends in a class, at character 2"),
        ("[[:alpha:]]", "`[:` is POSIX's syntax, at character 2"),
        ("*a", "`*` repeats nothing, at character 1"),
        ("a|+", "`+` repeats nothing, at character 3"),
        ("a**", "`*` repeats a repetition, at character 3"),
        ("a{2}{3}", "`{` repeats a repetition, at character 5"),
        ("{", "`{` repeats nothing, at character 1"),
        ("a{,3}", "`{` does not begin a count such as {3}, {3,} or {3,5}, at character 2"),
        ("a{3,2}", "{3,2} counts down, at character 2"),
        ("a{99999}", "{99999} is more than 10000 times, at character 2"),
        ("\\", "the pattern ends in `\\`, at character 1"),
        ("[\\", "the pattern ends in `\\`, at character 2"),
        ("\\y", "`\\y` is not an escape that Java and this check know, at character 1"),
        ("\\x4", "`\\x` needs hexadecimal digits: \\xhh or \\x{h...h}, at character 1"),
        ("\\u12", "`\\u` needs hexadecimal digits: \\uhhhh, at character 1"),
        ("\\09", "`\\0` needs octal digits, at character 1"),
        ("\\p{Nope}", "`\\p{Nope}` is not a property that this check knows, at character 1"),
        ("\\p", "`\\p` needs a property: \\p{Lu}, at character 1"),
        ("\\k", "`\\k` needs a group's name: \\k<name>, at character 1"),
        ("(a)\\2", "there is no group `2` to refer to, at character 4"),
        ("\\k<n>(?<n>a)", "there is no group `n` before, at character 1"),
        ("(?i)+", "`+` repeats nothing, at character 5"),
        ("(?P<n>a)", "`(?P` is Python's syntax, at character 1"),
        ("(?#c)", "`(?` begins no group that Java knows, at character 1"),
        ("(?m)a$", "flag `m` is not supported, at character 1"),
        (
            "(?<a_b>x)",
            "a group's name is made of ASCII letters and digits, a letter first, at character 4",
        ),
        ("(?<n>a)(?<n>b)", "two groups are named `n`, at character 11"),
        ("(?<=a*)b", "a look-behind must have a longest match, at character 1"),
        ("[\\Qa\\E]", "\\Q inside a class is not supported, at character 2"),
        ("(" * 60 + "a" + ")" * 60, "more than 50 groups inside each other, at character 51"),
    ],
)
def test_a_pattern_that_java_does_not_read_is_refused(pattern: str, message: str) -> None:
    (fault,) = inspect(pattern).faults
    assert fault.message == message
