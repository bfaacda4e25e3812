"""Texts written by a model on this machine: random ones of a few thousand weights."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.synth_runs import Synth

from glasso_cli.config import SynthSection
from glasso_cli.models.load import load_model
from glasso_cli.models.loaded import LoadedModel
from glasso_cli.synth.answers import Answer, Request
from glasso_cli.synth.local import Sampler, finished_sentences, write
from glasso_cli.synth.prompts import plan
from glasso_cli.synth.writing import request_for

TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }} : {{ message['content'] }} . {% endfor %}"
    "{% if add_generation_prompt %}nobody : {% endif %}"
)
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + TEMPLATE
LIVELY = {"max_tokens": 40, "temperature": 1.5, "top_p": 1.0}


def requests(count: int, **section: Any) -> list[Request]:
    values = SynthSection(**{**LIVELY, **section})
    return [request_for(brief, 0, values) for brief in plan("the river", {}, count, 0)]


@pytest.fixture
def chat_model(model_dir: Callable[[str], Path], tmp_path: Path) -> Callable[..., LoadedModel]:
    """A tiny model with a chat template and a token that ends a turn."""

    def load(template: str = TEMPLATE, end: str = ".") -> LoadedModel:
        folder = tmp_path / f"chat-{len(template)}"
        shutil.copytree(model_dir("gemma3"), folder)
        (folder / "chat_template.jinja").write_text(template)
        found = load_model(str(folder))
        found.model.generation_config.eos_token_id = [found.tokenizer.convert_tokens_to_ids(end)]
        return found

    return load


# -- a model that goes on from an opening ----------------------------------------------------------------


def test_a_base_model_goes_on_from_the_opening_to_the_end_of_a_sentence(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("llama")
    answers = write(model, requests(12))
    good = [answer for answer in answers if not answer.fault]
    assert good
    for answer, request in zip(answers, requests(12), strict=True):
        known = str(model.tokenizer.decode(model.tokenizer(request.opening)["input_ids"], skip_special_tokens=True))
        assert answer.text.startswith(known)
        assert answer.fault == ("" if answer.text.endswith(".") and len(answer.text) > len(known) else "cut off")
        assert answer.tokens is not None
        assert 0 < answer.tokens[1] <= 40


@pytest.mark.slow
@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2"])
def test_a_text_does_not_depend_on_what_is_written_beside_it(loaded: Callable[[str], LoadedModel], family: str) -> None:
    model = loaded(family)
    asked = requests(6)
    together = [answer.text for answer in write(model, asked)]
    alone = [write(model, [request])[0].text for request in asked]
    assert together == alone
    assert len(set(together)) == 6


def test_a_seed_of_its_own_makes_another_text(loaded: Callable[[str], LoadedModel]) -> None:
    request = requests(1)[0]
    first, same, other = (
        write(loaded("llama"), [asked])[0].text for asked in (request, request, replace(request, seed=request.seed + 1))
    )
    assert first == same != other


def test_temperature_0_takes_the_likeliest(loaded: Callable[[str], LoadedModel]) -> None:
    request = requests(1, temperature=0.0)[0]
    cold = write(loaded("llama"), [request])[0]
    assert write(loaded("llama"), [replace(request, seed=1)])[0].text == cold.text
    assert write(loaded("llama"), [replace(request, temperature=1e-6, seed=3)])[0].text == cold.text


# -- a model that answers --------------------------------------------------------------------------------


def test_an_instruct_model_answers_the_messages_and_ends_its_turn(chat_model: Callable[..., LoadedModel]) -> None:
    model = chat_model()
    answers = write(model, requests(12, max_tokens=60))
    assert {answer.fault for answer in answers} <= {"", "cut off", "empty"}
    finished = [answer for answer in answers if not answer.fault]
    assert finished
    for answer in finished:
        assert "." not in answer.text
        assert answer.tokens is not None
        assert len(model.tokenizer(answer.text, add_special_tokens=False)["input_ids"]) <= answer.tokens[1] < 60
    # The prompt is the messages in the template, and no part of the answer.
    assert all(answer.tokens and answer.tokens[0] > 20 for answer in answers)


def test_an_answer_that_reaches_its_most_tokens_ends_with_its_last_finished_sentence(
    chat_model: Callable[..., LoadedModel],
) -> None:
    answers = write(chat_model(end="the"), requests(12, max_tokens=40))
    reached = [answer for answer in answers if answer.raw["finish_reason"] == "length" and not answer.fault]
    assert reached
    assert all(answer.text.endswith(".") for answer in reached)


def test_a_template_without_a_system_role_gets_one_message(chat_model: Callable[..., LoadedModel]) -> None:
    model = chat_model(NO_SYSTEM)
    assert len(write(model, requests(2))) == 2


# -- the sampler ------------------------------------------------------------------------------------------


def drawn(shares: list[float], count: int, **section: Any) -> Counter[int]:
    import torch

    scores = torch.tensor(shares).log().repeat(count, 1)
    asked = [replace(requests(1, **section)[0], seed=seed) for seed in range(count)]
    return Counter(Sampler(asked)(torch.zeros(count, 1), scores).argmax(dim=-1).tolist())


def test_tokens_come_as_often_as_their_shares() -> None:
    count = 4000
    found = drawn([0.1, 0.5, 0.15, 0.25], count, temperature=1.0, top_p=1.0)
    for token, share in enumerate([0.1, 0.5, 0.15, 0.25]):
        assert abs(found[token] / count - share) < 4 * (share * (1 - share) / count) ** 0.5


def test_temperature_makes_shares_more_alike_or_less() -> None:
    count = 4000
    found = drawn([0.2, 0.8], count, temperature=0.5, top_p=1.0)
    assert abs(found[0] / count - 0.04 / 0.68) < 0.02


@pytest.mark.parametrize(
    ("top_p", "tokens"), [(0.4, {1}), (0.49, {1}), (0.51, {1, 3}), (0.8, {1, 3, 2}), (1.0, {0, 1, 2, 3})]
)
def test_top_p_keeps_the_likeliest_that_reach_it(top_p: float, tokens: set[int]) -> None:
    assert set(drawn([0.1, 0.5, 0.15, 0.25], 500, temperature=1.0, top_p=top_p)) == tokens


def test_a_flat_distribution_of_many_tokens_is_looked_at_as_a_whole() -> None:
    found = drawn([1 / 5000] * 5000, 300, temperature=1.0, top_p=0.9)
    assert len(found) > 250


@pytest.mark.parametrize(
    ("text", "finished", "fault"),
    [
        ("An opening goes on. And on", "An opening goes on.", ""),
        ('An opening "ends." Then', 'An opening "ends."', ""),
        ("An. opening without an end", "An. opening without an end", "cut off"),
        ("An opening of 3.5 metres", "An opening of 3.5 metres", "cut off"),
        ("An opening? Yes!", "An opening? Yes!", ""),
    ],
)
def test_where_a_text_ends(text: str, finished: str, fault: str) -> None:
    assert finished_sentences(text, beyond=10) == (finished, fault)


# -- the stage ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_stage_writes_with_a_local_model_and_keeps_its_answers(
    synth: Synth, model_dir: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model: dict[str, Any] = {
        "provider": "local",
        "model": str(model_dir("llama")),
        "batch": 4,
        **LIVELY,
        "max_redraws": 20,
    }
    result = synth(**model)
    assert "6 texts" in result.stderr
    assert "cost" not in result.stderr
    rows = synth.rows()
    assert len({row["text"] for row in rows}) == 6
    assert synth.api.bodies == []

    # A copy in another place is the same model, and its answers are found without it being loaded.
    shutil.copytree(model_dir("llama"), "copy")
    kept = len(synth.kept())
    synth("--force", **{**model, "model": "copy", "batch": 1})
    assert synth.rows() == rows
    assert len(synth.kept()) == kept


def test_kept_texts_need_no_model(
    synth: Synth, model_dir: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glasso_cli.synth.local.write", always)
    model: dict[str, Any] = {"model": str(model_dir("llama")), **LIVELY}
    synth(provider="local", **model)
    rows = synth.rows()
    monkeypatch.setattr("glasso_cli.models.load.load_model", None)
    synth("--force", provider="local", **model)
    synth(provider="replay", **model)
    assert synth.rows() == rows


def always(loaded: LoadedModel, asked: Sequence[Request]) -> list[Answer]:
    """Every text finished."""
    return [Answer(f"{request.seed} {request.opening}.", "", (1, 1), {}) for request in asked]


def test_an_interruption_keeps_the_batches_that_were_written(
    synth: Synth, model_dir: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model: dict[str, Any] = {"provider": "local", "model": str(model_dir("llama")), "batch": 2}
    seen: list[Request] = []
    calls = iter(range(2))

    def interrupted(loaded: LoadedModel, asked: Sequence[Request]) -> list[Answer]:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        seen.extend(asked)
        return always(loaded, asked)

    monkeypatch.setattr("glasso_cli.synth.local.write", interrupted)
    synth(code=130, **model)
    assert len(synth.kept()) == 4
    calls = iter(range(9))
    synth(**model)
    assert len(synth.rows()) == len(seen) == len(set(seen)) == 6


@pytest.mark.parametrize(
    ("family", "words"), [("bert", "cannot write texts"), (None, "The model folder './nowhere' does not exist")]
)
def test_a_model_that_cannot_write(
    synth: Synth, model_dir: Callable[[str], Path], family: str | None, words: str
) -> None:
    model = str(model_dir(family)) if family else "./nowhere"
    assert words in synth.refused(2, provider="local", model=model)


def test_a_prompt_longer_than_the_model_reads(synth: Synth, model_dir: Callable[[str], Path]) -> None:
    Path("c.yaml").write_text(Path("c.yaml").read_text().replace("the tides", "the river " * 80))
    assert "leaves no room in the 128 positions" in synth.refused(2, provider="local", model=str(model_dir("llama")))


@pytest.mark.slow
@pytest.mark.real
def test_the_default_model_writes_and_ends_its_texts(synth: Synth) -> None:
    short = {"length": ["one sentence of at most twenty words"], "genre": ["a weather report", "a proverb"]}
    synth("--threads", "1", provider="local", model=None, attributes=short, examples=3, max_tokens=80, max_redraws=6)
    rows = synth.rows()
    assert len(rows) == 3
    assert all(3 <= len(row["text"].split()) < 80 for row in rows)
    assert all("<|im" not in row["text"] for row in rows)
    assert synth.metrics()["mean_similarity"] < 0.5
