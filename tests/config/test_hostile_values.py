"""Values of a configuration that no file, model or machine can hold, and what a shell would have filled in."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from support.configs import BASE, write

from glasso_cli.config.load import load_config
from glasso_cli.config.secrets import hide_keys
from glasso_cli.errors import ConfigError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def said(*overrides: str, text: str = BASE) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(write(text), overrides)
    return caught.value.message


# -- the command line -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "topic"),
    [
        ("corpora.a.topic=issue #5", "issue #5"),
        ("corpora.a.topic=C# and F#", "C# and F#"),
        ("corpora.a.topic=#5", "#5"),
        ("corpora.a.topic='quoted'", "quoted"),
        ("corpora.a.topic='it: #5'", "it: #5"),
    ],
)
def test_an_argument_has_no_comments(override: str, topic: str) -> None:
    assert load_config(write(BASE), [override]).corpora["a"].topic == topic


def test_what_follows_a_value_is_refused() -> None:
    assert "follows the value" in said("fit.alpha=[0.5, 0.4] # two")
    assert load_config(write(BASE), ["fit.alpha=[0.5, 0.4]"]).fit.alpha == (0.5, 0.4)


# -- paths ----------------------------------------------------------------------------------------


def test_home_and_variables_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/made-up")
    monkeypatch.setenv("DATA", "/data")
    config = load_config(
        write(BASE), ["out=${HOME}/x", "model.id=~/m", "corpora.b.files=[$DATA/a.txt]", "fit.neurons=~/n.txt"]
    )
    assert config.out == Path("/made-up/x")
    assert config.model.id == "/made-up/m"
    assert config.corpora["b"].files == ("/data/a.txt",)
    assert config.fit.neurons == "/made-up/n.txt"


@pytest.mark.parametrize(
    "override", ["out=${NOT_SET}/x", "out=$NOT_SET", "model.id=$NOT_SET/m", "corpora.b.files=[$NOT_SET]"]
)
def test_a_variable_that_is_not_set_is_no_folder(monkeypatch: pytest.MonkeyPatch, override: str) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    assert "is not set in the environment" in said(override)


# -- sizes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "override",
    [
        "collect.lags=10_000_000", "collect.mask.first=9999999999", "fit.half_samples=1000000", "fit.max_iter=10000000000",
        "corpora.a.max_documents=99999999999999", "collect.max_length=99999999999", "fit.workers=1000000",
        "fit.select.folds=100000", "synth.max_tokens=999999999", "seed=0xffffffffffffffffffff",
    ],
)  # fmt: skip
def test_every_number_has_a_limit(override: str) -> None:
    text = BASE + "seed: 0\n" if override.startswith("seed") else BASE
    assert "should be" in said(override, text=text) or "extra" in said(override, text=text)


@pytest.mark.parametrize("value", ['"a\\0b"', '"\\ud800"', "x" * 20_000])
def test_text_that_nothing_can_hold_is_refused(value: str) -> None:
    assert said(f"corpora.a.topic={value}")
    assert said(f"model.id={value}")


def test_a_huge_file_is_refused_at_once() -> None:
    started = time.process_time()
    assert "is larger than 1 MB" in said(text=BASE + "# " + "x" * 50_000_000)
    assert "there is no file /dev/zero" in said(text=BASE + "\nextends: /dev/zero\n")
    assert time.process_time() - started < 5


def test_files_that_extend_each_other_twice_are_refused() -> None:
    for level in range(30):
        Path(f"l{level}.yaml").write_text(f"extends: [l{level + 1}.yaml, l{level + 1}.yaml]\n")
    Path("l30.yaml").write_text("seed: 1\n")
    assert "More than 100 files are read" in said(text=BASE + "extends: l0.yaml\n")


def test_thousands_of_problems_are_a_page() -> None:
    message = said(text=BASE + "".join(f"wrong{i}: 1\n" for i in range(3000)))
    assert "has 3000 problems" in message
    assert message.endswith("and 2,960 more")
    assert len(message) < 20_000


def test_a_wrong_number_of_neurons_is_named_at_its_place() -> None:
    message = said(text=BASE + "compare:\n  neurons: some\n")
    assert "compare.neurons  should be all, or a number of at least 2, not 'some'" in message
    assert "compare.neurons.int" not in message


# -- names ----------------------------------------------------------------------------------------


def test_comparisons_with_one_name_are_refused() -> None:
    corpora = "\n".join(f"  {name}: {{topic: t}}" for name in ("a", "b-vs-c", "a-vs-b", "c"))
    message = said(text=f"model: {{id: m}}\ncorpora:\n{corpora}\ncollect: {{hook_points: [mlp.1]}}\n")
    assert "has the name of that of" in message


# -- secrets --------------------------------------------------------------------------------------

KEY = "sk-proj-Abc123Def456Ghi789Jkl012"


def test_a_key_in_the_wrong_place_is_not_shown() -> None:
    message = said(text=BASE + f"synth:\n  api_key_env: {KEY}\n")
    assert "never the key itself" in message
    assert KEY not in message
    assert "Abc123" not in message


def test_an_env_file_is_no_configuration() -> None:
    Path(".env").write_text(f"OPENAI_API_KEY={KEY}\n")
    message = said(text=BASE + "extends: .env\n")
    assert "holds secrets" in message
    assert KEY not in message


@pytest.mark.parametrize(
    "text",
    [
        "google/gemma-3-270m-it",
        "builtin:smollm2-135m-instruct",
        "layers.9.mlp[123]",
        "runs/demo/fit/ai.npz",
        "climate-vs-artificial-intelligence",
    ],
)
def test_ordinary_words_are_shown(text: str) -> None:
    assert hide_keys(text) == text


def test_a_key_of_any_length_makes_a_short_message(tmp_path: Path) -> None:
    lines = "".join(f"k{n}: 1\n" for n in range(30))
    (tmp_path / "c.yaml").write_text(f"? {'words ' * 3_000}\n: 1\n{lines}", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "c.yaml", [])
    assert len(caught.value.message) < 12_000
    assert "words words" in caught.value.message
