"""The exact derivative, by finite differences of a network that is held in another way, and the closed form against it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_models import CONFIGS
from torch import Tensor, nn

from glasso_cli.derivatives.check import TOLERANCE, checked, closed_form
from glasso_cli.derivatives.frozen import held_derivatives
from glasso_cli.derivatives.layout.pair import LayerPair, layer_pair
from glasso_cli.hooks import resolve_hook_points
from glasso_cli.models.loaded import LoadedModel

IDS = torch.tensor([[5, 6, 7, 8, 9, 10, 4], [4, 11, 12, 6, 5, 0, 0]])
MASK = torch.tensor([[1] * 7, [1] * 5 + [0] * 2])
INPUTS = {"input_ids": IDS, "attention_mask": MASK}
STEP = 1e-4
# The modules whose outputs make the attention pattern, and how many of their outputs do.
PATTERNS = {"gemma3": "q_norm k_norm", "llama": "q_proj k_proj", "gpt2": "c_attn", "bert": "query key", "gpt_neox": ""}
SOURCES = torch.tensor([0, 3, 17, 40])
EXACT = [name for name in CONFIGS if name not in ("gemma3n", "mixtral", "albert")]


def pair_of(loaded: LoadedModel, source: int) -> LayerPair:
    points = resolve_hook_points(loaded.model, [f"mlp.{source}", f"mlp.{source + 1}"])
    return layer_pair(loaded, points[0], points[1])


class Held:
    """A copy of a network in float64; after one pass, patterns and norm scales stay what they were in it."""

    def __init__(self, loaded: LoadedModel, name: str, pair: LayerPair) -> None:
        self.model = copy.deepcopy(loaded.model).double()
        self.pair, self.name = pair, name
        self.base: dict[str, tuple[Tensor, Tensor]] = {}

    def run(self, delta: Tensor) -> Tensor:
        """The target neurons with ``delta (p,)`` added to the source neurons everywhere."""
        seen: list[Tensor] = []

        def push(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
            return (args[0] + delta, *args[1:])

        def reach(module: nn.Module, args: tuple[Any, ...]) -> None:
            seen.append(args[0].clone())
            raise StopIteration

        with ExitStack() as hooks, torch.no_grad():
            for name, module in self.model.named_modules():
                if self.holds(name, module):
                    hooks.callback(module.register_forward_hook(self.hold(name)).remove)
            for point, hook in ((self.pair.source, push), (self.pair.target, reach)):
                hooks.callback(self.model.get_submodule(point.module).register_forward_pre_hook(hook).remove)
            with suppress(StopIteration):
                self.model(**INPUTS)
        return seen[0]

    def holds(self, name: str, module: nn.Module) -> bool:
        last = name.rpartition(".")[2]
        return last in PATTERNS[self.name].split() or (_is_norm(module) and last not in ("q_norm", "k_norm"))

    def hold(self, name: str) -> Callable[..., Any]:
        def held(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Any:
            x, y = self.base.setdefault(name, (args[0].clone(), output.clone()))
            if _is_norm(module) and name.rpartition(".")[2] not in ("q_norm", "k_norm"):
                return y + _norm_slope(module, x, args[0] - x)
            if self.name == "gpt2":  # queries and keys, then values
                return torch.cat([y[..., : 2 * x.shape[-1]], output[..., 2 * x.shape[-1] :]], -1)
            return y

        return held


def _is_norm(module: nn.Module) -> bool:
    return "Norm" in type(module).__name__


def _norm_slope(module: Any, x: Tensor, change: Tensor) -> Tensor:
    if isinstance(module, nn.LayerNorm):
        scale = torch.rsqrt(x.var(-1, correction=0, keepdim=True) + module.eps)
        centred: Tensor = (change - change.mean(-1, keepdim=True)) * module.weight * scale
        return centred
    eps = getattr(module, "variance_epsilon", None) or module.eps
    gain = module.weight + (1 if "Gemma" in type(module).__name__ else 0)
    moved: Tensor = change * gain * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
    return moved


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("source", [0, 1])
def test_finite_differences_of_a_held_network_agree(
    loaded: Callable[[str], LoadedModel], name: str, source: int
) -> None:
    pair = pair_of(loaded(name), source)
    network = Held(loaded(name), name, pair)
    network.run(torch.zeros(pair.source.width, dtype=torch.float64))
    means = []
    for neuron in SOURCES.tolist():
        delta = torch.zeros(pair.source.width, dtype=torch.float64)
        delta[neuron] = STEP
        slope = (network.run(delta) - network.run(-delta)) / (2 * STEP)
        exact = held_derivatives(loaded(name), pair, neuron, INPUTS).double()
        inside = MASK.bool()
        difference = (exact - slope)[inside].norm() / slope[inside].norm()
        assert float(difference) < 1e-5
        means.append(slope[inside])
    mean, rms = closed_form(loaded(name), pair, SOURCES, [INPUTS])
    expected = torch.stack(means)
    np.testing.assert_allclose(mean, expected.mean(1), atol=1e-5 * float(expected.mean(1).abs().max()))
    np.testing.assert_allclose(rms, expected.square().mean(1).sqrt(), atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("name", EXACT)
def test_the_closed_form_is_the_exact_derivative_in_every_family(
    loaded: Callable[[str], LoadedModel], name: str
) -> None:
    found = checked(loaded(name), pair_of(loaded(name), 1))
    assert max(found.mean, found.rms) < 1e-5 < TOLERANCE


def test_one_token_by_hand(loaded: Callable[[str], LoadedModel]) -> None:
    """With one token, every head attends to it alone, and the derivative can be written down."""
    llama = loaded("llama")
    model: Any = llama.model.model
    pair = pair_of(llama, 0)
    layer = model.layers[1]
    stream: dict[str, Tensor] = {}

    def norm(x: Tensor) -> Tensor:
        return torch.rsqrt(x.square().mean() + layer.input_layernorm.variance_epsilon)

    def keep(name: str) -> Any:
        return lambda module, args: stream.__setitem__(name, args[0][0, 0])

    with ExitStack() as hooks, torch.no_grad():
        for name in ("input_layernorm", "post_attention_layernorm"):
            hooks.callback(getattr(layer, name).register_forward_pre_hook(keep(name)).remove)
        model(input_ids=torch.tensor([[9]]))
        before, after = stream["input_layernorm"], stream["post_attention_layernorm"]
        write = model.layers[0].mlp.down_proj.weight
        # the only value head is shared by both heads
        value = layer.self_attn.v_proj.weight @ (layer.input_layernorm.weight[:, None] * write) * norm(before)
        moved = write + layer.self_attn.o_proj.weight @ torch.cat([value, value])
        read = layer.post_attention_layernorm.weight[:, None] * moved * norm(after)
        normed = layer.post_attention_layernorm.weight * after * norm(after)
        gate, up = layer.mlp.gate_proj.weight @ normed, layer.mlp.up_proj.weight @ normed
        sigmoid = torch.sigmoid(gate)
        slope = sigmoid * (1 + gate * (1 - sigmoid))
        by_hand = (slope * up)[:, None] * (layer.mlp.gate_proj.weight @ read)
        by_hand += (gate * sigmoid)[:, None] * (layer.mlp.up_proj.weight @ read)
    sample = {"input_ids": torch.tensor([[9], [9]]), "attention_mask": torch.ones(2, 1, dtype=torch.long)}
    mean, rms = closed_form(llama, pair, torch.arange(48), [sample])
    np.testing.assert_allclose(mean, by_hand.T, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(rms, by_hand.T.abs(), rtol=1e-4, atol=2e-5)  # the root of a sum that can cancel
