"""Encoder-decoder models: the encoder is read, from a folder and from memory; the decoder is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
import pytest
import torch
from support.tiny_models import TEXT
from transformers import BartConfig, BartForConditionalGeneration, PreTrainedModel, T5Config, T5ForConditionalGeneration

from glasso_cli.collection.run import collect_corpus
from glasso_cli.config import CollectSection, MaskSection
from glasso_cli.errors import InputError
from glasso_cli.models.encoder import patterns_in_part
from glasso_cli.models.load import load_model
from glasso_cli.models.loaded import LoadedModel, encode, loaded_in_memory

WORDS = TEXT.split()
TEXTS = [" ".join(WORDS[(k * step + 3 * k) % len(WORDS)] for step in range(1, 25)) for k in range(1, 25)]


def t5(words: int) -> PreTrainedModel:
    sizes: dict[str, Any] = {
        "decoder_start_token_id": 0,
        "d_model": 32,
        "d_kv": 8,
        "d_ff": 48,
        "num_layers": 3,
        "num_heads": 4,
    }
    return T5ForConditionalGeneration(T5Config(vocab_size=words, **sizes))


def bart(words: int) -> PreTrainedModel:
    each: dict[str, Any] = {f"{part}_{name}": size for part in ("encoder", "decoder") for name, size in SIZES.items()}
    return BartForConditionalGeneration(BartConfig(vocab_size=words, d_model=32, **each))


SIZES = {"layers": 3, "ffn_dim": 48, "attention_heads": 4}
MADE = {"t5": t5, "bart": bart}


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
    mask = MaskSection(special=False, first=0, massive=None)
    section = CollectSection(hook_points=("encoder.mlp.1", "resid.2"), blocks=8, contexts=False, mask=mask)
    with catch_warnings():
        simplefilter("ignore")
        stats = collect_corpus(found, TEXTS, section)
    assert stats.n_neurons == 48 + 32
    assert str(stats.neuron_ids[0]) == "layers.1.mlp[0]"
    with torch.inference_mode():
        states = [found.model(row[None], output_hidden_states=True).hidden_states[3][0] for row in encode(found, TEXTS)]
    if found.model.config.model_type == "bart":  # T5 puts a norm behind its last state
        np.testing.assert_allclose(stats.mean[48:], torch.cat(states).mean(0), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_model_in_memory_is_the_same(folder: Path) -> None:
    from transformers import AutoModelForSeq2SeqLM

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


def test_the_decoder_is_refused_with_the_place_in_the_encoder() -> None:
    with pytest.raises(InputError, match=r"'decoder.mlp.1' is in the decoder") as caught:
        patterns_in_part("encoder", ["mlp.1", "decoder.mlp.1"])
    assert "encoder.mlp.1" in caught.value.hint
    assert patterns_in_part("causal", ["decoder.mlp.1"]) == ("decoder.mlp.1",)
