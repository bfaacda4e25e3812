"""Encoder-decoder models: the encoder or the decoder is read, from a folder and from memory, never both."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
import pytest
import torch
from support.proofs import prove_self_attention
from support.real_runs import Runner
from support.tiny_encoder_decoders import SIZES, bart, marian, t5
from support.tiny_models import TEXT
from support.tokenizers import bos_tokenizer
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, MarianConfig, MarianMTModel

import glasso_cli as g
from glasso_cli.collection.run import collect_corpus
from glasso_cli.config import CollectSection, MaskSection
from glasso_cli.corpora.windows import special_frame, tokenize
from glasso_cli.errors import InputError
from glasso_cli.hooks import HookPoint, resolve_hook_points
from glasso_cli.models.encoder_decoder import start_token, text_decoder
from glasso_cli.models.load import load_model
from glasso_cli.models.loaded import LoadedModel, encode, loaded_in_memory

WORDS = TEXT.split()
TEXTS = [" ".join(WORDS[(k * step + 3 * k) % len(WORDS)] for step in range(1, 25)) for k in range(1, 25)]


MADE = {"t5": t5, "bart": bart, "marian": marian}
PLACES = {  # of the neurons in the last layer of the decoder
    "t5": "decoder.block.1.layer.2.DenseReluDense.wo",
    "bart": "model.decoder.layers.1.fc2",
    "marian": "model.decoder.layers.1.fc2",
}


@pytest.fixture(params=list(MADE))
def folder(request: pytest.FixtureRequest, tmp_path: Path, loaded: Callable[[str], LoadedModel]) -> Path:
    tokenizer = loaded("bert").tokenizer
    torch.manual_seed(1)
    model = MADE[request.param](len(tokenizer)).eval()
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.slow
def test_the_encoder_is_what_is_read(folder: Path) -> None:
    found = load_model(str(folder))
    assert found.kind == "encoder"
    assert found.n_layers == 3
    assert any("only the encoder" in note for note in found.notes)
    assert found.start is None
    mask = MaskSection(special=False, first=0, massive=None)
    section = CollectSection(hook_points=("encoder.mlp.1", "resid.2"), blocks=8, contexts=False, mask=mask)
    with catch_warnings():
        simplefilter("ignore")
        stats = collect_corpus(found, TEXTS, section)
    assert stats.n_neurons == 48 + 32
    assert str(stats.neuron_ids[0]) == "layers.1.mlp[0]"
    with torch.inference_mode():
        states = [found.model(row[None], output_hidden_states=True).hidden_states[3][0] for row in encode(found, TEXTS)]
    if found.model.config.model_type != "t5":  # T5 puts a norm behind its last state
        np.testing.assert_allclose(stats.mean[48:], torch.cat(states).mean(0), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_model_in_memory_is_the_same(folder: Path) -> None:
    found = load_model(str(folder))
    section = CollectSection(hook_points=("mlp.0",), blocks=4, contexts=False, mask=MaskSection(massive=None))
    with catch_warnings():
        simplefilter("ignore")
        first = collect_corpus(found, TEXTS, section)
    whole = AutoModelForSeq2SeqLM.from_pretrained(folder)
    with loaded_in_memory(whole, found.tokenizer) as again, catch_warnings():
        simplefilter("ignore")
        second = collect_corpus(again, TEXTS, section)
    np.testing.assert_array_equal(first.moments, second.moments)


# -- the decoder ----------------------------------------------------------------------------------

CONFIG = """\
seed: 1
out: out
model: {{id: ./{folder}}}
corpora: {{words: {{files: [words.jsonl]}}}}
collect:
  hook_points: [decoder.mlp.1, decoder.resid.0, decoder.head.1.2]
  max_length: 64
  blocks: 8
  lags: 4
  mask: {{massive: null}}
"""


@pytest.fixture
def experiment(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("words.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS), encoding="utf-8")
    Path("c.yaml").write_text(CONFIG.format(folder=folder.name), encoding="utf-8")
    return folder


def direct(folder: Path) -> tuple[np.ndarray, int]:
    """Means of the neurons and of the residual stream over the words of all texts, and how many tokens are special."""
    model: Any = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    kept: list[torch.Tensor] = []
    place = model.get_submodule(PLACES[model.config.model_type])
    place.register_forward_pre_hook(lambda _, args: kept.append(args[0][0]))
    rows, n_special = [], 0
    for text in TEXTS:
        ids = tokenizer(text)["input_ids"]
        read = [model.config.decoder_start_token_id, *ids]
        with torch.inference_mode():
            made = model(
                input_ids=torch.tensor([ids]), decoder_input_ids=torch.tensor([read]), output_hidden_states=True
            )
        words = torch.tensor([False, *(token not in (*tokenizer.all_special_ids, ids[-1]) for token in ids)])
        rows.append(torch.cat([made.decoder_hidden_states[1][0], kept.pop()], dim=1)[words])
        n_special += int((~words).sum())
    return torch.cat(rows).mean(0).numpy(), n_special


@pytest.mark.slow
def test_the_command_line_reads_the_decoder_as_a_direct_call_does(experiment: Path) -> None:
    result = Runner.command("collect", "c.yaml")
    assert result.exit_code == 0, result.output
    stats = g.ActivationStats.load(Path("out/collect/words.npz"))
    metrics = stats.metrics
    assert (metrics.model.kind, metrics.model.layers) == ("decoder", 2)
    widths = {point.label: point.width for point in metrics.hook_points}
    assert widths == {"layers.0.resid": 32, "layers.1.head.2": 8, "layers.1.mlp": 48}
    assert all(point.name.startswith("decoder.") for point in metrics.hook_points)
    assert max(metrics.invariants["batching"].values()) < 1e-4
    assert "reads each text after its start token" in " ".join(result.output.split())
    expected, n_special = direct(experiment)
    without_heads = [".head." not in neuron for neuron in stats.neuron_ids.tolist()]
    assert metrics.tokens.special == n_special
    np.testing.assert_allclose(stats.mean[without_heads], expected, rtol=1e-3, atol=1e-4)
    assert metrics.tokens.kept == metrics.tokens.read - n_special
    points = ["decoder.mlp.1", "decoder.resid.0", "decoder.head.1.2"]
    more: dict[str, Any] = {"max_length": 64, "blocks": 8, "lags": 4, "mask": {"massive": None}}
    whole, part = AutoModelForSeq2SeqLM.from_pretrained(experiment), load_model(str(experiment), part="decoder")
    for model in (whole, part.model):
        with catch_warnings():
            simplefilter("ignore")
            ours = g.collect(model, part.tokenizer, TEXTS, points, name="words", seed=1, **more)
        np.testing.assert_array_equal(ours.moments, stats.moments)
        np.testing.assert_array_equal(ours.top_tokens, stats.top_tokens)


@pytest.mark.slow
def test_two_parts_and_a_start_outside_the_vocabulary_are_refused(experiment: Path) -> None:
    mixed = Runner.command("collect", "c.yaml", "--set", "collect.hook_points=[decoder.mlp.1, encoder.mlp.1]")
    assert mixed.exit_code == 2
    assert "'encoder.mlp.1' is in the encoder, but the decoder is read" in " ".join(mixed.output.split())
    missing = Runner.command("collect", "c.yaml", "--set", "collect.hook_points=[decoder.mlp.2]")
    assert "matches no layer: this model has layers 0 to 1" in " ".join(missing.output.split())
    for name in ("config.json", "generation_config.json"):
        path = experiment / name
        entries = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(entries | {"decoder_start_token_id": 4711}), encoding="utf-8")
    outside = Runner.command("collect", "c.yaml")
    assert outside.exit_code == 2
    assert "has no start token for its decoder (decoder_start_token_id is 4711)." in " ".join(outside.output.split())


@pytest.mark.slow
@pytest.mark.parametrize("name", MADE)
def test_heads_of_a_decoder_are_those_of_its_self_attention(name: str) -> None:
    decoder = text_decoder(MADE[name](100).eval())
    (heads,) = resolve_hook_points(decoder, ["head.1"])
    prove_self_attention(decoder, heads, joined=False)
    (across,) = (
        name
        for name, _ in decoder.named_modules()
        if name.startswith("decoder.") and name.endswith(("1.encoder_attn.out_proj", "1.layer.1.EncDecAttention.o"))
    )
    with pytest.raises(AssertionError):  # the proof can fail
        prove_self_attention(decoder, HookPoint(f"{across}:in", 1, 32, across), joined=False)


@pytest.mark.slow
def test_half_the_width_is_compared_and_the_weights_stay(folder: Path) -> None:
    half = load_model(str(folder), part="decoder", dtype="bfloat16")
    section = CollectSection(hook_points=("decoder.mlp.1",), blocks=4, contexts=False, null="reinitialised")
    with catch_warnings():
        simplefilter("ignore")
        stats = collect_corpus(half, TEXTS, section)
    (difference,) = stats.metrics.dtype_difference.values()
    assert 0 < difference["correlation_max"] < 0.5
    assert {weight.dtype for weight in half.model.parameters()} == {torch.bfloat16}
    assert stats.fresh_counts.sum() > 0


@pytest.mark.slow
def test_a_decoder_with_a_vocabulary_of_its_own_is_refused(tmp_path: Path) -> None:
    more: dict[str, Any] = {
        "decoder_vocab_size": 40,
        "share_encoder_decoder_embeddings": False,
        "tie_word_embeddings": False,
    }
    model = MarianMTModel(
        MarianConfig(vocab_size=60, d_model=32, decoder_start_token_id=1, pad_token_id=0, **SIZES, **more)
    )
    with pytest.raises(InputError, match=r"another vocabulary than its encoder \(40 and 60 tokens\)"):
        text_decoder(model)
    with pytest.raises(InputError, match=r"decoder_start_token_id is 40"):
        model.config.decoder_start_token_id = 40
        start_token(model)


@pytest.mark.slow
def test_a_decoder_without_a_start_token_is_refused() -> None:
    model = t5(40)
    for config in (model.config, model.generation_config):
        config.decoder_start_token_id = None
    with pytest.raises(InputError, match=r"no start token for its decoder \(decoder_start_token_id is not set\)"):
        start_token(model)


def test_a_window_begins_with_the_start_token_once() -> None:
    frame = special_frame(bos_tokenizer(), 3)
    assert (frame.start, frame.prefix) == ((3,), (2,))
    corpus = tokenize(["<bos> w1 w2", "w1 w2 w3"], bos_tokenizer(), max_length=4, max_tokens=None, start=3)
    rows = [window.ids.tolist() for window in corpus.windows]
    assert [row[:2] for row in rows] == [[3, 2]] * len(rows)
    assert max(map(len, rows)) == 4
