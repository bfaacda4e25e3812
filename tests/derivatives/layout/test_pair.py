"""Which layers the closed form knows, and which it refuses in a sentence."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.tiny_models import CONFIGS

from glasso_cli.derivatives.layout.pair import LayerPair, layer_pair
from glasso_cli.errors import InputError
from glasso_cli.hooks import HookPoint, resolve_hook_points
from glasso_cli.models.loaded import LoadedModel

# The norms on the way, by the last part of their name, and the number of paths: the stream and both heads.
KNOWN = {
    "gemma3": (
        ["post_feedforward_layernorm", "input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm"],
        3,
    ),
    "llama": (["input_layernorm", "post_attention_layernorm"], 3),
    "phi3": (["input_layernorm", "post_attention_layernorm"], 3),
    "gpt2": (["ln_1", "ln_2"], 3),
    "opt": (["self_attn_layer_norm", "final_layer_norm"], 3),
    "bert": (["LayerNorm", "LayerNorm"], 3),  # of the layer's output, then after attention
    "gpt_neox": (None, 1),  # attention and MLP side by side; two norms with the same weights
}


def pair_of(loaded: LoadedModel, source: int = 0) -> LayerPair:
    points = resolve_hook_points(loaded.model, [f"mlp.{source}", f"mlp.{source + 1}"])
    return layer_pair(loaded, points[0], points[1])


@pytest.mark.parametrize("name", KNOWN)
def test_the_way_is_found_by_what_modules_compute(loaded: Callable[[str], LoadedModel], name: str) -> None:
    pair = pair_of(loaded(name))
    norms, paths = KNOWN[name]
    assert pair.n_paths == paths
    assert norms is None or [norm.name.rpartition(".")[2] for norm in pair.norms()] == norms
    assert (pair.up is not None) == (name in ("gemma3", "llama", "phi3"))
    if pair.up is not None:  # Phi has both in one module, one half each
        assert (pair.gate.name == pair.up.name) == (name == "phi3")


def test_a_residual_stream_of_several_vectors_is_refused(loaded: Callable[[str], LoadedModel]) -> None:
    with pytest.raises(InputError, match=r"'layers.0.mlp' reaches 'layers.1.mlp' .*not one vector per token"):
        pair_of(loaded("gemma3n"))


def test_one_module_that_is_several_layers_is_refused(loaded: Callable[[str], LoadedModel]) -> None:
    with pytest.raises(InputError, match="one module is several layers"):
        pair_of(loaded("albert"))


def test_a_module_that_gives_no_neurons_is_refused(loaded: Callable[[str], LoadedModel]) -> None:
    model = loaded("llama")
    source = resolve_hook_points(model.model, ["mlp.0"])[0]
    wrong = HookPoint("model.layers.1.self_attn.o_proj:in", 1, 32, "layers.1.mlp")
    with pytest.raises(InputError, match=r"not act\(a\) or act\(a\) \* b"):
        layer_pair(model, source, wrong)


def test_no_test_of_a_family_is_missing() -> None:
    assert set(CONFIGS) - set(KNOWN) == {"phi3_longrope", "roberta", "gemma3n", "mixtral", "albert", "gemma3_vision"}
