"""Mixers are found by what they do: pass on from token to token, without a softmax."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.tiny_architectures import Architecture, tiny_model, word_tokenizer

from glasso_cli.errors import InputError
from glasso_cli.hooks import record, resolve_hook_points
from glasso_cli.hooks.invariants import check_hook_points
from glasso_cli.models.loaded import LoadedModel, loaded_in_memory

IDS = torch.tensor([[7, 20, 31, 44, 52, 9, 61, 73, 11]])
TEXTS = ["w7 w20 w31 w44 w52 w9 w61 w73 w11", "w8 w9 w40"]
# What a reader of each model's code would point to.
PROJECTIONS = {
    "mamba": "backbone.layers.0.mixer.out_proj",
    "mamba2": "backbone.layers.0.mixer.out_proj",
    "rwkv": "rwkv.blocks.0.attention.output",  # not the output of its other part, which mixes two neighbours
    "recurrent_gemma": "model.layers.0.temporal_block.linear_out",
    "qwen3_next": "model.layers.0.linear_attn.out_proj",
    "falcon_h1": "model.layers.0.mamba.out_proj",  # beside attention
    "lfm3": "model.layers.0.conv.out_proj",
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "path"), PROJECTIONS.items())
def test_a_mixer_is_read_at_its_output_projection(name: str, path: str) -> None:
    with loaded_in_memory(tiny_model(Architecture(name, "causal")), word_tokenizer()) as loaded:
        (point,) = resolve_hook_points(loaded.model, ["mixer.0"])
        assert (point.name, point.label) == (f"{path}:in", "layers.0.mixer")
        report = check_hook_points(loaded, [point], TEXTS)
        assert report.projection[point.name] < 1e-5


def test_attention_and_mlps_are_no_mixers(family: LoadedModel) -> None:
    with pytest.raises(InputError, match=r"Layer 1 .* has no mixer"):
        resolve_hook_points(family.model, ["mixer.1"])


def test_training_mode_is_refused() -> None:
    model = tiny_model(Architecture("mamba", "causal")).train()
    with pytest.raises(InputError, match="training mode"):
        resolve_hook_points(model, ["mixer.0"])


def test_a_mixer_that_mixes_nothing_is_refused_on_texts() -> None:
    """Here the model changes after its hook points were resolved."""
    with loaded_in_memory(tiny_model(Architecture("mamba", "causal")), word_tokenizer()) as loaded:
        points = resolve_hook_points(loaded.model, ["mixer.1"])
        projection = loaded.model.get_submodule(points[0].module)
        projection.register_forward_pre_hook(lambda module, args: (torch.ones_like(args[0]),))
        with pytest.raises(InputError, match="does not follow from earlier tokens"):
            check_hook_points(loaded, points, TEXTS)


def test_what_was_captured_is_a_copy() -> None:
    model = tiny_model(Architecture("mamba", "causal"))
    points = resolve_hook_points(model, ["mixer.0"])
    with record(model, points, stop=False) as recorder:
        (before,) = recorder.run(IDS)
        model.get_submodule(points[0].module).register_forward_hook(overwrite)
        (after,) = recorder.run(IDS)
    assert torch.equal(before, after)
    assert before.any()


def overwrite(module: Any, args: tuple[torch.Tensor, ...], output: Any) -> None:
    """Write zeros into what a module took."""
    args[0].zero_()
