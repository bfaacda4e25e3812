"""Tensors that look like neurons and are not: parallel lists, bottlenecks, layers without a nonlinearity."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from support.tiny_architectures import architectures, tiny_model, word_tokenizer
from torch import nn

from glasso_cli.errors import InputError
from glasso_cli.hooks import record, resolve_hook_points
from glasso_cli.hooks.invariants import check_hook_points
from glasso_cli.models.loaded import LoadedModel, loaded_in_memory

IDS = torch.tensor([[7, 20, 31, 44, 52, 9, 61, 73, 11]])
TEXTS = ["w7 w20 w31 w44 w52 w9 w61 w73", "w8 w9 w40"]


def model_of(name: str) -> Any:
    (architecture,) = [architecture for architecture in architectures() if str(architecture) == name]
    return tiny_model(architecture)


def read(model: Any, pattern: str) -> torch.Tensor:
    with record(model, resolve_hook_points(model, [pattern])) as recorder:
        return recorder.run(IDS)[0]


def seen_by(model: Any, path: str) -> list[torch.Tensor]:
    """The first input and the output of a module, by hooks of the test's own."""
    kept: list[torch.Tensor] = []
    handle = model.get_submodule(path).register_forward_hook(lambda _, args, output: kept.extend([args[0], output]))
    with torch.no_grad():
        model(input_ids=IDS)
    handle.remove()
    return kept


@pytest.mark.parametrize("name", ["xlm-causal", "xlm-masked", "flaubert-masked"])
@pytest.mark.parametrize("layer", [0, 1])
def test_parallel_lists_of_attentions_and_feed_forwards_give_the_feed_forward(name: str, layer: int) -> None:
    model = model_of(name)
    _, given = seen_by(model, f"transformer.ffns.{layer}.lin1")
    torch.testing.assert_close(read(model, f"mlp.{layer}"), nn.functional.gelu(given))
    with loaded_in_memory(model, word_tokenizer()) as loaded:
        check_hook_points(loaded, resolve_hook_points(model, [f"mlp.{layer}"]), TEXTS)


@pytest.mark.parametrize("name", ["xlm-causal", "xlm-masked", "flaubert-masked"])
def test_of_lists_side_by_side_the_one_that_gives_the_hidden_state_is_the_residual_stream(name: str) -> None:
    with loaded_in_memory(model_of(name), word_tokenizer()) as loaded:
        (point,) = resolve_hook_points(loaded.model, ["resid.1"])
        assert (point.name, point.label) == ("transformer.layer_norm2.1:out", "layers.1.resid")
        check_hook_points(loaded, [point], TEXTS)
        wrong = replace(point, name="transformer.ffns.1:out")
        with pytest.raises(InputError, match=r"'transformer\.ffns\.1' is not the model's own hidden state 2"):
            check_hook_points(loaded, [wrong], TEXTS)


def test_a_bottleneck_is_not_taken_for_the_feed_forward() -> None:
    """MobileBERT: 16 wide is what goes into the projection to the hidden size, 48 are the neurons."""
    model = model_of("mobilebert-masked")
    (point,) = resolve_hook_points(model, ["mlp.1"])
    assert (point.name, point.width) == ("mobilebert.encoder.layer.1.output.dense:in", 48)
    _, given = seen_by(model, "mobilebert.encoder.layer.1.intermediate.dense")
    torch.testing.assert_close(read(model, "mlp.1"), given.relu())


def test_neurons_divided_by_a_norm_are_neurons() -> None:
    """BitNet: a norm without a mean stands between the neurons and their projection; their signs stay arbitrary."""
    model = model_of("bitnet-causal")
    (point,) = resolve_hook_points(model, ["mlp.0"])
    assert point.name == "model.layers.0.mlp.down_proj:in"
    with loaded_in_memory(model, word_tokenizer()) as loaded:
        assert check_hook_points(loaded, [point], TEXTS).gated == (point.name,)


def test_a_norm_that_takes_the_mean_off_gives_no_neurons() -> None:
    model = model_of("bitnet-causal")
    for layer in model.model.layers:
        layer.mlp.ffn_sub_norm = nn.LayerNorm(48)
    with pytest.raises(InputError, match="no tensor that can be proved to hold the neurons"):
        resolve_hook_points(model, ["mlp.0"])


def test_a_product_of_two_linear_modules_is_not_neurons(loaded: Callable[[str], LoadedModel]) -> None:
    model = deepcopy(loaded("llama").model)
    for layer in model.model.layers:
        layer.mlp.act_fn = nn.Identity()
    with pytest.raises(InputError, match="no tensor that can be proved"):
        resolve_hook_points(model, ["mlp.1"])


def test_the_proof_is_repeated_on_texts(loaded: Callable[[str], LoadedModel]) -> None:
    """Here the model changes after its hook points were resolved."""
    llama = replace(loaded("llama"), model=deepcopy(loaded("llama").model))
    points = resolve_hook_points(llama.model, ["mlp.*"])
    llama.model.model.layers[2].mlp.act_fn = nn.Identity()
    with pytest.raises(InputError, match=r"layers\.2\.mlp\.down_proj:in' does not hold the neurons.* by 0\.\d+ of its"):
        check_hook_points(llama, points)


def test_a_layer_whose_output_is_not_the_hidden_state_is_refused(loaded: Callable[[str], LoadedModel]) -> None:
    llama = replace(loaded("llama"), model=deepcopy(loaded("llama").model))
    points = resolve_hook_points(llama.model, ["resid.1"])
    following = llama.model.model.layers[2]
    sound = following.forward
    following.forward = lambda states, **more: sound(2 * states, **more)
    check_hook_points(llama, points)  # what the next layer makes of it does not matter
    wrong = [replace(points[0], name="model.layers.1.mlp:out")]
    with pytest.raises(InputError, match=r"'model\.layers\.1\.mlp' is not the model's own hidden state 2"):
        check_hook_points(llama, wrong)


def test_finding_neurons_twice_takes_one_pass(loaded: Callable[[str], LoadedModel]) -> None:
    """Also while a neuron is ablated, names stay what they were."""
    model = deepcopy(loaded("llama").model)
    first = resolve_hook_points(model, ["mlp.*"])
    passes: list[Any] = []
    model.register_forward_pre_hook(lambda *args: passes.append(args))
    assert resolve_hook_points(model, ["mlp.*", "model.layers.1.mlp.down_proj:in"]) == first
    assert passes == []
