"""The frozen form against formulas written by hand, and the proof that refuses what it does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.scores import bench
from torch import Tensor

from glasso_cli.errors import InputError
from glasso_cli.hooks.neurons import NEURON_TOLERANCE
from glasso_cli.models.loaded import LoadedModel
from glasso_cli.scoring.gradients.attribution import attribute
from glasso_cli.scoring.gradients.frozen import freeze, held_modules, holding

Load = Callable[[str], LoadedModel]


def passed(model: Any, ids: Tensor) -> Tensor:
    logits: Tensor = model(input_ids=ids).logits
    return logits


@pytest.mark.slow
@pytest.mark.parametrize("family", ["gemma3", "gpt2", "llama", "gpt_neox", "opt", "bert", "phi3", "albert"])
def test_a_network_that_is_held_is_linear_and_gives_what_it_gave(loaded: Load, family: str) -> None:
    model = loaded(family)
    held, error = freeze(model)
    assert error <= NEURON_TOLERANCE["float32"]
    ids = torch.arange(5, 15)[None]
    with torch.no_grad():
        plain = passed(model.model, ids)
        with holding(held):
            assert torch.equal(passed(model.model, ids), plain)
        assert torch.equal(passed(model.model, ids), plain)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["mixtral", "gemma3n", "roberta"])  # routing; products; a bare activation function
def test_a_network_with_other_parts_is_refused(loaded: Load, family: str) -> None:
    with pytest.raises(InputError, match="is not linear"):
        freeze(loaded(family))


@pytest.mark.slow
def test_what_is_held_is_needed_for_the_proof(loaded: Load) -> None:
    from dataclasses import replace

    from glasso_cli.scoring.gradients.frozen import error_of_sum

    model = loaded("gemma3")
    held = held_modules(model)
    assert len(held.norms) >= 6
    assert len(held.activations) == len(held.products) == 3
    for name in ("norms", "products"):
        assert error_of_sum(model, replace(held, **{name: getattr(held, name)[:-1]})) > 1e-3


@pytest.mark.slow
def test_the_gradient_of_a_gated_mlp_is_that_of_the_rules(loaded: Load) -> None:
    """Of the last layer of Llama, by hand: norm scales and slopes are numbers, and each factor gets half."""
    model = loaded("llama").model
    layer, norm = model.model.layers[-1], model.model.norm
    held, _ = freeze(loaded("llama"))
    ids = torch.arange(5, 15)[None]
    seen: dict[str, Tensor] = {}

    def begin(module: Any, args: Any) -> tuple[Tensor]:
        seen["x"] = args[0].detach().requires_grad_()
        return (seen["x"],)

    handle = layer.post_attention_layernorm.register_forward_pre_hook(begin)
    kept = layer.mlp.register_forward_hook(lambda module, args, output: seen.update(mlp=output))
    v = torch.randn(32, generator=torch.Generator().manual_seed(0))
    with holding(held):
        passed(model, ids)
        (found,) = torch.autograd.grad((seen["mlp"] * v).sum(), seen["x"])
    handle.remove()
    kept.remove()
    x, mlp = seen["x"].detach(), layer.mlp
    scale = (x.square().mean(-1, keepdim=True) + norm.variance_epsilon).rsqrt()
    gain = layer.post_attention_layernorm.weight
    given = x * scale * gain
    gate, up = given @ mlp.gate_proj.weight.T, given @ mlp.up_proj.weight.T
    slope = torch.sigmoid(gate)  # of silu: silu(g) / g
    neurons = v @ mlp.down_proj.weight
    back = (neurons * up * slope / 2) @ mlp.gate_proj.weight + (neurons * gate * slope / 2) @ mlp.up_proj.weight
    torch.testing.assert_close(found, back * gain * scale, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_neuron_of_the_last_layer_has_the_whole_gradient_at_its_own_value(loaded: Load) -> None:
    """The half rule is for what lies before the product: the neuron itself is behind it."""
    with bench(loaded("llama"), "mlp.2", scalar="logit_difference", logit_tokens=["river", "queue"]) as tried:
        held, _ = freeze(loaded("llama"))
        with holding(held):
            found = attribute(tried.scalar, tried.replacement, tried.rows, [0.0], lambda amount: None)
        model = loaded("llama").model
        assert tried.scalar.outputs.tokens is not None
        first, second = tried.scalar.outputs.tokens
        direction = (model.lm_head.weight[first] - model.lm_head.weight[second]) * model.model.norm.weight
        expected = torch.zeros(found.sums.shape[1])
        for row in tried.rows:
            seen: dict[str, Tensor] = {}
            down = model.model.layers[-1].mlp.down_proj
            hooks = [
                down.register_forward_pre_hook(lambda module, args, seen=seen: seen.update(a=args[0])),
                model.model.norm.register_forward_pre_hook(lambda module, args, seen=seen: seen.update(x=args[0])),
            ]
            with torch.no_grad():
                tried.scalar.run(row)
            for hook in hooks:
                hook.remove()
            scale = (seen["x"].square().mean(-1, keepdim=True) + model.model.norm.variance_epsilon).rsqrt()
            distance = torch.tensor(tried.neurons.mean, dtype=torch.float32) - seen["a"]
            expected += (distance * scale * (direction @ down.weight))[row.kept].sum(0)
    torch.testing.assert_close(torch.tensor(found.sums.sum(axis=0)).float(), expected, rtol=1e-3, atol=1e-5)
