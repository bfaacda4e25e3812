"""What is held at its clean value: against networks in which it could not change."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from support.interventions import collect_section, measure, statistics
from support.tiny_architectures import Architecture
from support.tiny_encoder_decoders import bart
from support.tiny_encoders import tiny_network
from transformers import AutoModelForCausalLM

from glasso_cli.errors import InputError
from glasso_cli.hooks import HookPoint
from glasso_cli.intervention.frozen import frozen
from glasso_cli.models.loaded import LoadedModel, loaded_in_memory
from glasso_cli.models.modules.network import network_of
from glasso_cli.models.network import Network

Load = Callable[[str], LoadedModel]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def with_zeros(model: LoadedModel, *names: str) -> LoadedModel:
    """A copy in which the weights of all modules whose names end so, after the first layer, are zero."""
    changed = copy.deepcopy(model.model)
    with torch.no_grad():
        for name, weight in changed.named_parameters():
            if name.endswith(names) and ".layers.0." not in name:
                weight.zero_()
    return LoadedModel(changed, model.tokenizer, model.device, model.dtype, model.n_layers, model.kind)


def effects(model: LoadedModel, mode: str, **section: Any) -> np.ndarray:
    collect = collect_section("mlp.0", "mlp.1", "mlp.2")
    ids = ["layers.0.mlp[3]", "layers.0.mlp[8]"]
    made = measure(model, statistics(model, collect), collect, sources=ids, mode=mode, **section)
    return made.effects


@pytest.mark.parametrize("family", ["llama", "gemma3", "phi3"])
def test_patterns_that_cannot_change_need_not_be_held(loaded: Load, family: str) -> None:
    """Without queries, every pattern is uniform over the tokens before it."""
    names = ("self_attn.qkv_proj.weight",) if family == "phi3" else ("q_proj.weight",)
    model = loaded(family)
    uniform = with_zeros(model, *names)
    np.testing.assert_allclose(effects(uniform, "free"), effects(uniform, "attention"), atol=2e-5)
    assert np.abs(effects(model, "free") - effects(model, "attention")).max() > 1e-3


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_the_direct_path_is_all_there_is_without_attention_and_mlps(loaded: Load, family: str) -> None:
    model = loaded(family)
    bare = with_zeros(model, "o_proj.weight", "down_proj.weight")
    np.testing.assert_allclose(effects(bare, "free"), effects(bare, "direct"), atol=2e-5)
    assert np.abs(effects(model, "free") - effects(model, "direct")).max() > 1e-3


@pytest.mark.parametrize("family", ["gpt2", "gpt_neox", "bert"])
@pytest.mark.parametrize("mode", ["attention", "direct"])
def test_other_families_can_be_held(loaded: Load, family: str, mode: str) -> None:
    free, held = effects(loaded(family), "free"), effects(loaded(family), mode)
    assert 1e-4 < np.abs(free - held).max() < 2 * np.abs(free).max()


def test_the_model_gets_its_own_attention_back(loaded: Load) -> None:
    model = loaded("llama").model
    before = model.config._attn_implementation
    with frozen("attention", loaded("llama"), HookPoint("model.layers.0.mlp.down_proj:in", 0, 48, "layers.0.mlp")):
        assert model.config._attn_implementation != before
    assert model.config._attn_implementation == before


@pytest.mark.parametrize("mode", ["attention", "direct"])
def test_another_network_is_refused(mode: str) -> None:
    refused(mode, network_of(torch.nn.Linear(2, 2)), "in Linear")


@pytest.mark.parametrize("mode", ["attention", "direct"])
def test_a_model_of_images_is_refused(mode: str) -> None:
    refused(mode, tiny_network(Architecture("vit", "image")), "in ViTModel")


@pytest.mark.parametrize(("mode", "where"), [("attention", "in TextDecoder"), ("direct", "in the decoder")])
def test_the_decoder_of_an_encoder_decoder_is_refused(loaded: Load, mode: str, where: str) -> None:
    """Its attention to the encoder is no self-attention, and would not be held."""
    tokenizer = loaded("bert").tokenizer
    with loaded_in_memory(bart(len(tokenizer)), tokenizer, part="decoder") as decoder:
        refused(mode, decoder, where)


def test_a_small_vocabulary_is_enough(loaded: Load) -> None:
    """The patterns are tried on tokens that the model has."""
    config = copy.deepcopy(loaded("llama").model.config)
    config.vocab_size = 8
    model = AutoModelForCausalLM.from_config(config).eval()
    small = replace(loaded("llama"), model=model)
    with frozen("attention", small, HookPoint("model.layers.0.mlp.down_proj:in", 0, 48, "layers.0.mlp")) as held:
        assert held.beyond(True)


def refused(mode: str, network: Network, where: str) -> None:
    with (
        pytest.raises(InputError, match=f"intervene.mode {mode} is not possible {where}") as caught,
        frozen(mode, network, HookPoint(":in", None, 2, ":in")),
    ):
        pass
    assert caught.value.hint == "Set intervene.mode: free."
