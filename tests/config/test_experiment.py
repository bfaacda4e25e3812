"""Every field of every section: its help, its default, and whether it is part of a cache key."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError
from support.field_values import OTHER_VALUE, RUNTIME, example, with_value

from glasso_cli.artifacts.keys import key_of, material_of
from glasso_cli.config import (
    Config,
    CorpusSection,
    FitSection,
    ModelSection,
    Section,
    is_runtime,
    public_fields,
)
from glasso_cli.config.problems import sections
from glasso_cli.config.schema import schema_text
from glasso_cli.config.sections.values import MAX_ALPHAS, expand_alphas, shown
from glasso_cli.errors import ConfigError

SECTIONS = {tuple(map(str, loc)): section for loc, section in sections().items()}
FIELDS = [
    (loc, name)
    for loc, section in SECTIONS.items()
    for name, info in section.model_fields.items()
    if (*loc, name) not in SECTIONS and (*loc, name, "NAME") not in SECTIONS
]


def key(config: Config) -> str:
    return key_of(material_of("any", 1, public_fields(config), {}))


@pytest.mark.parametrize(("section", "name"), FIELDS, ids=[".".join((*loc, name)) for loc, name in FIELDS])
def test_every_field_says_whether_it_changes_the_key(section: tuple[str, ...], name: str) -> None:
    loc = (*section, name)
    assert loc in OTHER_VALUE, f"{'.'.join(loc)} is new: give it another value here, and add it to RUNTIME if it is"
    before, after = with_value(loc), with_value(loc, OTHER_VALUE[loc])
    assert before != after
    changes = key(before) != key(after)
    assert changes == (loc not in RUNTIME)
    assert is_runtime(SECTIONS[section].model_fields[name]) == (loc in RUNTIME)


def test_no_field_is_listed_that_does_not_exist() -> None:
    assert set(OTHER_VALUE) == {(*section, name) for section, name in FIELDS}
    assert set(RUNTIME) <= set(OTHER_VALUE)


def test_two_models_never_share_a_key() -> None:
    one, other = with_value(("model", "id"), "a/b"), with_value(("model", "id"), "a/c")
    assert key(one) != key(other)


def test_the_key_of_a_known_configuration_does_not_move() -> None:
    material = material_of(
        "fit", 3, {"fit": {"alpha": [0.5, 1e-05], "tol": 1e-07, "é": None}}, {"upstream": {"collect": "ab"}}
    )
    assert key_of(material) == "8f5f7c71a95d5129b3840d987f5371becf802671d03c80a756480186dbc5a687"


@pytest.mark.parametrize(("written", "as_float"), [(10, 10.0), (1, 1.0)])
def test_a_whole_number_and_the_same_float_are_one_key(written: int, as_float: float) -> None:
    for loc in (("fit", "select", "target"), ("fit", "alpha")):
        assert key(with_value(loc, written)) == key(with_value(loc, as_float))


def test_public_fields_are_json() -> None:
    fields = public_fields(Config.model_validate(example()))
    assert json.loads(json.dumps(fields, allow_nan=False)) == fields


# -- help -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", SECTIONS.values(), ids=lambda section: section.__name__)
def test_every_field_has_help_in_the_schema(section: type[Section]) -> None:
    schema = json.loads(schema_text(None))
    described = schema if section is Config else schema["$defs"][section.__name__]
    assert section.__doc__
    for name, info in section.model_fields.items():
        assert info.description, f"{section.__name__}.{name} has no description"
        found = described["properties"][name]
        # Where a section is described as its class is, the schema says it once, with the class.
        said = found.get("description") or schema["$defs"][found["$ref"].rsplit("/", 1)[1]]["description"]
        assert said == info.description
        assert said.endswith(".")
        assert bool(found.get("runtime")) == is_runtime(info)


@pytest.mark.parametrize("name", Config.model_fields)
def test_the_schema_of_a_section_refers_to_nothing_else(name: str) -> None:
    schema = json.loads(schema_text(name))
    text = json.dumps(schema)
    assert all(f'"#/$defs/{name}"' in text for name in schema["$defs"])
    assert text.count("#/$defs/") == sum(text.count(f'"#/$defs/{name}"') for name in schema["$defs"])
    assert str(Config.model_fields[name].description) in text


def test_the_schema_knows_extends_and_a_wrong_section_is_named() -> None:
    schema = json.loads(schema_text(None))
    assert "extends" in schema["properties"]
    assert schema["additionalProperties"] is False
    with pytest.raises(ConfigError, match="no section 'fti'") as caught:
        schema_text("fti")
    assert "fit" in caught.value.hint


# -- rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", SECTIONS.values(), ids=lambda section: section.__name__)
def test_every_section_is_frozen_and_refuses_unknown_keys(section: type[Section]) -> None:
    assert section.model_config["extra"] == "forbid"
    assert section.model_config["frozen"]
    assert section.model_config["strict"]


@pytest.mark.parametrize("name", ["a/b", "..", ".hidden", "", "é", "a b", "x" * 65, "a\n"])
def test_a_corpus_name_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="file name"):
        Config.model_validate({**example(), "corpora": {name: {"topic": "x"}}})


def test_corpora_that_differ_by_case_only_are_refused() -> None:
    corpora = {"Films": {"topic": "x"}, "other": {"topic": "x"}, "films": {"topic": "y"}}
    with pytest.raises(ValidationError, match="same file name"):
        Config.model_validate({**example(), "corpora": corpora})


@pytest.mark.parametrize("name", ["a/b", "..", ".", "", "a\\b"])
def test_a_name_that_is_no_folder_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="cannot be the name of a folder"):
        Config.model_validate({**example(), "name": name})


def test_the_folder_is_out_or_runs_and_the_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert str(Config.model_validate(example()).folder) == "runs/x"
    assert str(with_value(("out",), "a/b").folder) == "a/b"
    assert str(with_value(("out",), "~/b").folder) == f"{tmp_path}/b"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({}, "none of them"),
        ({"topic": "x", "files": ["a"]}, "files and topic"),
        ({"files": []}, "files is empty"),
        ({"topic": "x", "split": "test"}, "split has no effect on a corpus given as topic"),
        ({"files": ["a.txt"], "revision": "v1"}, "revision has no effect on a corpus given as files"),
        ({"dataset": "d", "lines": True}, "lines has no effect on a corpus given as dataset"),
    ],
)
def test_a_corpus_has_one_source(source: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        CorpusSection.model_validate(source)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"select": {"rule": "fixed"}}, "needs fit.alpha"),
        ({"select": {"alpha": 0.1}}, "needs fit.alpha"),
        ({"alpha": [0.1, 0.2], "select": {"rule": "fixed"}}, "needs select.alpha"),
        ({"alpha": [0.1, 0.2], "select": {"alpha": 0.3}}, "0.3 is not one of the alphas"),
        ({"alpha": 0.1, "select": {"rule": "ebic"}}, "compares alphas"),
    ],
)
def test_a_selection_that_cannot_be_made_is_refused(section: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        FitSection.model_validate(section)


@pytest.mark.parametrize(
    ("section", "rule"),
    [
        ({}, "degree"),
        ({"alpha": 0.1}, "fixed"),
        ({"alpha": [0.1, 0.2]}, "degree"),
        ({"alpha": [0.1, 0.2], "select": {"alpha": 0.1}}, "fixed"),
        ({"alpha": [0.1, 0.2], "select": {"rule": "ebic"}}, "ebic"),
    ],
)
def test_the_rule_follows_from_the_alphas(section: dict[str, Any], rule: str) -> None:
    assert FitSection.model_validate(section).rule == rule


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "CPU", ""])
def test_an_unknown_device_is_refused(device: str) -> None:
    with pytest.raises(ValidationError, match="is not one of: auto, cpu"):
        ModelSection.model_validate({"id": "m", "device": device})


# -- alpha ----------------------------------------------------------------------------------------

ALPHA = st.floats(1e-6, 1e3)


@given(first=ALPHA, last=ALPHA, num=st.integers(2, 40))
def test_a_range_has_its_ends_and_equal_ratios(first: float, last: float, num: int) -> None:
    assume(abs(math.log(first / last)) > 0.01)
    alphas = expand_alphas({"from": first, "to": last, "num": num})
    assert alphas is not None
    assert {alphas[0], alphas[-1]} <= {first, last}
    assert list(alphas) == sorted(set(alphas), reverse=True)
    assert len(alphas) == num
    ratios = [math.log(a / b) for a, b in itertools.pairwise(alphas)]
    assert max(ratios) == pytest.approx(min(ratios), rel=1e-6)


@given(st.lists(ALPHA, min_size=1, max_size=20))
def test_a_list_of_alphas_is_sorted_once_and_for_all(alphas: list[float]) -> None:
    expanded = expand_alphas(alphas)
    assert expanded is not None
    assert set(expanded) == set(alphas)
    assert expand_alphas(expanded) == expanded
    assert expand_alphas(alphas[0]) == (alphas[0],)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "greater than 0"),
        (-1.0, "greater than 0"),
        (math.nan, "finite"),
        (math.inf, "finite"),
        (10**400, "finite"),
        (True, "should be a number"),
        ("x", "should be a number"),
        ([], "at least one"),
        ([0.1, None], "null"),
        ([0.1] * (MAX_ALPHAS + 1), "at most 1000"),
        ({"from": 1, "to": 2}, "missing num"),
        ({"from": 1, "to": 2, "num": 3, "scale": "log"}, "unknown scale"),
        ({"from": 1, "to": 2, "num": 0}, "from 1 to 1000"),
        ({"from": 1, "to": 2, "num": True}, "not true"),
        ({"from": 0, "to": 2, "num": 2}, "greater than 0"),
    ],
)
def test_what_is_no_alpha_is_refused(value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        expand_alphas(value)


@pytest.mark.parametrize("value", [[], ["a", 1], [""], "", 0, -3, True, 1.5, None, {"a": 1}])
@pytest.mark.parametrize("section", ["collect", "fit"])
def test_what_names_no_neurons_is_refused(section: str, value: Any) -> None:
    data = example()
    data[section]["neurons"] = value
    with pytest.raises(ValidationError, match="should be"):
        Config.model_validate(data)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (True, "true"), (1, "1"), ("no", "'no'"), ("x" * 99, "'" + "x" * 56 + "...")],
)
def test_a_value_is_shown_as_it_is_written(value: Any, text: str) -> None:
    assert shown(value) == text
