"""The YAML reader against the core schema of YAML 1.2, and a place for everything it refuses."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from glasso_cli.config.strict_yaml import Position, StrictYamlError, parse

# https://yaml.org/spec/1.2.2/#1032-tag-resolution, row by row
CORE: list[tuple[str, Callable[[str], object]]] = [
    (r"null|Null|NULL|~|", lambda text: None),
    (r"true|True|TRUE", lambda text: True),
    (r"false|False|FALSE", lambda text: False),
    (r"[-+]?[0-9]+", int),
    (r"0o[0-7]+", lambda text: int(text[2:], 8)),
    (r"0x[0-9a-fA-F]+", lambda text: int(text[2:], 16)),
    (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", float),
    (r"[-+]?(\.inf|\.Inf|\.INF)", lambda text: -math.inf if text.startswith("-") else math.inf),
    (r"\.nan|\.NaN|\.NAN", lambda text: math.nan),
]


def core_value(text: str) -> object:
    """The value of a plain scalar by the table of the specification."""
    for pattern, make in CORE:
        if re.fullmatch(pattern, text):
            return make(text)
    return text


def same(one: object, other: object) -> bool:
    both_nan = isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other)
    return both_nan or (type(one) is type(other) and one == other)


def problem(text: str) -> StrictYamlError:
    with pytest.raises(StrictYamlError) as caught:
        parse(text)
    return caught.value


@given(st.one_of([st.from_regex(pattern, fullmatch=True) for pattern, _ in CORE]))
def test_scalars_of_the_core_schema(text: str) -> None:
    text = text.strip()
    assert same(parse(f"key: {text}").data["key"], core_value(text))


@given(st.text("0123456789.eE+-_xoabfnuletrsyNOIF~:", min_size=1, max_size=9))
def test_what_is_not_in_the_core_schema_is_text(text: str) -> None:
    try:
        value = parse(f"[{text}]").data[0]
    except (StrictYamlError, IndexError):
        return  # an indicator such as `- ` or `: `, not a scalar
    if isinstance(value, dict | list):
        return
    # Underscores between digits are the one extension.
    assert same(value, core_value(re.sub(r"(?<=\d)_(?=\d)", "", text))) or same(value, text)


@pytest.mark.parametrize("word", ["no", "yes", "on", "off", "y", "n", "12:30", "2020-01-01", "1e", "_1", "1__0"])
def test_scalars_of_yaml_1_1_are_text(word: str) -> None:
    assert parse(f"key: {word}").data == {"key": word}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("012", 12),
        ("200_000", 200_000),
        ("1_0.5", 10.5),
        ("0o17", 15),
        ("0xff", 255),
        ("'1'", "1"),
    ],
)
def test_scalars_that_configurations_use(text: str, value: object) -> None:
    assert same(parse(f"key: {text}").data["key"], value)


# JSON writes letters beyond the first plane as two halves, which YAML does not join.
TEXT = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=20)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_reads_json(value: object) -> None:
    assert parse(json.dumps(value)).data == value


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_a_place_inside_it(text: str) -> None:
    found: StrictYamlError | None = None
    try:
        assert parse(text).lines == text.splitlines()
    except StrictYamlError as error:
        found = error
    if found:
        assert found.problem
        assert found.position
        assert 1 <= found.position.line <= len(text.splitlines()) + 1
        assert found.position.column >= 1


def test_every_value_has_its_position() -> None:
    document = parse("a: 1\nb:\n  - x\n  - {c: 2}\n")
    assert document.keys[("b",)] == Position(2, 1)
    assert document.values[("a",)] == Position(1, 4)
    assert document.values[("b", 0)] == Position(3, 5)
    assert document.values[("b", 1, "c")] == Position(4, 9)
    assert document.locate(("b", 1, "nothing")) == Position(4, 5)
    assert document.locate(("nothing",)) == Position(1, 1)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_are_counted_whatever_ends_them(newline: str) -> None:
    document = parse(newline.join(["a: 1", "b: 2", ""]))
    assert document.keys[("b",)] == Position(2, 1)
    assert document.lines == ["a: 1", "b: 2"]


def test_duplicate_keys_are_reported_and_the_first_is_kept() -> None:
    document = parse("a: 1\nb: {c: 1, c: 2}\na: 3\n")
    assert document.data == {"a": 1, "b": {"c": 1}}
    assert document.duplicates == [(("b", "c"), Position(2, 11)), (("a",), Position(3, 1))]


@pytest.mark.parametrize("key", ["1", "true", "1.5", "~"])
def test_keys_that_are_not_text_are_named_as_written(key: str) -> None:
    document = parse(f"{key}: x")
    assert document.bad_keys == [((key,), f"the key {key} is not text; quote it")]


def test_merge_keys_are_refused_and_aliases_read() -> None:
    document = parse("a: &a {x: 1}\nb: *a\nc: {<<: *a}\nd: {'<<': 1}")
    assert document.data["b"] == {"x": 1}
    assert [loc for loc, _ in document.bad_keys] == [("c", "<<")]
    assert document.data["d"] == {"<<": 1}


@pytest.mark.parametrize(
    ("text", "words", "position"),
    [
        ("a:\n\tb: 1", "does not allow tabs for indentation", Position(2, 1)),
        ("a: b: c", "there is a second ':'", Position(1, 5)),
        ("a: @x", "put the value in quotes", Position(1, 4)),
        ("a: {b: 1\nc: 2", "begins on line 1", Position(2, 2)),
        ("a: *nothing", "undefined alias 'nothing'", Position(1, 4)),
        ("a: 1\n---\nb: 2", "another document", Position(2, 1)),
        ("? [a]\n: 1", "a key must be a single word or a quoted text", Position(1, 3)),
        ("a: 1\nb: \x1b[31m", "'\\x1b'", Position(2, 4)),
        ("a: \0", "'\\x00'", Position(1, 4)),
        ("a: &a [*a]", "an anchor contains itself", Position(1, 4)),
        ("a: " + "[" * 100 + "]" * 100, "nested too deeply", Position(1, 68)),
        ("a: " + "9" * 5000, "5000 digits", Position(1, 4)),
        ("a: !!int abc", "the tag !!int", Position(1, 4)),
        ("a: !!python/object:os.system {}", "the tag !!python/object:os.system", Position(1, 4)),
        ("a: !local x", "the tag !local", Position(1, 4)),
        ("a: !!set {b}", "the tag !!set", Position(1, 4)),
    ],
)
def test_what_is_wrong_and_where(text: str, words: str, position: Position) -> None:
    error = problem(text)
    assert words in error.problem
    assert error.position == position


@pytest.mark.slow
def test_nesting_beyond_the_stack_is_refused() -> None:
    assert "nested too deeply" in problem("[" * 2_000).problem


@pytest.mark.slow
def test_aliases_of_aliases_do_not_fill_the_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "after expanding the aliases" in problem("\n".join(lines)).problem


def test_the_string_tag_makes_text_of_a_number() -> None:
    assert parse("a: !!str 3").data == {"a": "3"}


def test_yaml_of_others_is_untouched() -> None:
    parse("a: 1e-3")
    assert yaml.safe_load("a: no") == {"a": False}


def test_null_may_be_the_name_of_a_field() -> None:
    document = parse("null: true\nb: null")
    assert document.bad_keys == []
    assert document.data == {"null": True, "b": None}
