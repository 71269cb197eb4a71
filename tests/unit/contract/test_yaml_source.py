"""What the YAML layer reads, refuses and bounds."""

import textwrap
from typing import Any

import pytest
import yaml

from glue_job.contract.loader import load, load_bytes
from glue_job.contract.yaml_source import (
    MAX_BYTES,
    MappingNode,
    SequenceNode,
    Trap,
    YamlFault,
    parse,
    value_place,
)


def plain(node: Any) -> Any:
    match node:
        case MappingNode():
            return {key: plain(value) for key, value in node.items()}
        case SequenceNode():
            return [plain(value) for value in node]
        case _:
            return node


def fault_of(text: str) -> tuple[str, int | None, int | None]:
    with pytest.raises(YamlFault) as caught:
        parse(text)
    fault = caught.value.fault
    return fault.code, fault.place.line, fault.place.column


SHARED = textwrap.dedent("""\
    base: &base {a: 1, b: {c: [1, 2.5, null, ~, true, False, "x", 'y', z]}}
    merged:
      <<: *base
      a: 2
    several:
      <<: [{x: 1, y: 1}, {y: 2, z: 2}, *base]
      z: 3
    aliases: [*base, *base]
    text: |
      two
      lines
    folded: >-
      one
      line
    number: -12
    exponent: 1.5e+3
    empty:
    quoted: !!str 12
    anchored: &number 7
    same: *number
    """)


@pytest.mark.parametrize("use_libyaml", [True, False])
def test_the_tree_is_what_pyyaml_loads(use_libyaml: bool) -> None:
    assert plain(parse(SHARED, use_libyaml=use_libyaml)) == yaml.safe_load(SHARED)


@pytest.mark.parametrize("use_libyaml", [True, False])
def test_values_know_where_they_stand(use_libyaml: bool) -> None:
    root = parse('a:\n  - {é: "x", b: 22}\n', use_libyaml=use_libyaml)
    place = value_place(root["a"][0], "b")
    assert (place.line, place.column, place.width) == (2, 17, 2)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e3", 1000.0),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("y", "y"),
        ("0", 0),
        ("0.10", 0.1),
        (".5", 0.5),
        ("+3", 3),
        ("1.2.3", "1.2.3"),
        ("-", None),
        ("noon", "noon"),
        ("0o17", Trap),
        ("017", Trap),
        ("1_0", Trap),
        ("190:20:30", Trap),
        ("NO", Trap),
        ("on", Trap),
        ("-.INF", Trap),
        (".nan", Trap),
        ("9" * 5000, Trap),
        ("1e999", Trap),
        ("08", Trap),
    ],
)
def test_unquoted_scalars(text: str, value: Any) -> None:
    read = parse(f"a: {text}\n" if text != "-" else "a:\n  -\n")["a"]
    read = plain(read)[0] if text == "-" else read
    if value is Trap:
        assert isinstance(read, Trap)
        assert parse(f'a: "{text}"')["a"] == text
    else:
        assert read == value
        assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", ("CFG009", 1, 1)),
        ("# nothing\n", ("CFG009", 1, 1)),
        ("---\n", ("CFG009", 1, 1)),
        ("tables:\n\t- name: x\n", ("CFG004", 2, 1)),
        ("tables:\n  - name: x\n\t  topic: y\n", ("CFG004", 3, 1)),
        ("tables:\n  - name: \0x\n", ("CFG002", 2, 11)),
        ("a: \x07\n", ("CFG002", 1, 4)),
        ("a: \ud800\n", ("CFG002", 1, 4)),
        ("a: [1, 2\nb: 3\n", ("CFG003", 2, 2)),
        ("%YAML 9.9\n---\na: 1\n", ("CFG003", 1, 1)),
    ],
)
def test_text_that_is_no_yaml_is_refused_where_it_goes_wrong(
    text: str, fault: tuple[str, int, int]
) -> None:
    assert fault_of(text) == fault


@pytest.mark.parametrize(
    ("data", "code", "line", "column"),
    [
        (b"tables:\n  - name: \xff\xfe\n", "CFG001", 2, 11),
        ("tables: []".encode("utf-16"), "CFG001", 1, 1),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "CFG001", 1, 1),
        ("# é\n# caf\xe9".encode("latin-1"), "CFG001", 1, 3),
        (b"PK\x03\x04", "CFG002", 1, 3),
    ],
)
def test_bytes_that_are_no_text_are_one_finding(
    data: bytes, code: str, line: int, column: int
) -> None:
    loaded = load_bytes(data, "tables.yaml")
    assert [(f.code, f.line, f.column) for f in loaded.findings] == [(code, line, column)]
    assert loaded.pipeline is None


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    text = "\ufefftables:\r\n  - name: vehicles\r\n    primary_key: id\r\n    schema: []\r\n"
    (finding,) = load_bytes(text.encode(), "t").findings
    assert (finding.code, finding.line, finding.column) == ("CFG016", 4, 5)


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
MERGES = "a0: &a0 {k0: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 50)}], k{n}: 1}}\n" for n in range(1, 400)
)
STAIRS = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 2000))


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(LAUGHS, id="aliases of aliases"),
        pytest.param(MERGES, id="merges of merges"),
        pytest.param(STAIRS, id="a stair of aliases"),
        pytest.param("a: " + "[" * 50_000, id="opening brackets"),
        pytest.param("".join(" " * n + "b:\n" for n in range(400)), id="indents"),
        pytest.param("a: " + "x" * MAX_BYTES, id="too many bytes"),
        pytest.param("a: " + "é" * (MAX_BYTES // 2), id="too many bytes, fewer characters"),
    ],
)
def test_bombs_are_refused(bomb: str) -> None:
    assert fault_of(bomb)[0] == "CFG007"


def test_sharing_as_people_do_it_is_within_the_bounds() -> None:
    columns = ", ".join(f"{{name: c{n}, type: integer}}" for n in range(30))
    tables = "".join(
        f"  - {{name: t{n}, primary_key: c0, schema: *columns}}\n" for n in range(1, 500)
    )
    text = f"tables:\n  - {{name: t0, primary_key: c0, schema: &columns [{columns}]}}\n{tables}"
    loaded = load(text, "tables.yaml")
    assert loaded.findings == ()
    assert loaded.pipeline is not None
    assert len(loaded.pipeline.tables[-1].schema) == 30
