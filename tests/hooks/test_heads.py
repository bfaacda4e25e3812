"""Heads are found where attention is computed, whatever the network calls it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from support.tiny_architectures import Architecture, tiny_model
from torch import nn

from glasso_cli.errors import InputError
from glasso_cli.hooks import record, resolve_hook_points
from glasso_cli.hooks.heads import find_heads
from glasso_cli.hooks.invariants import check_hook_points
from glasso_cli.models.layers import find_layers
from glasso_cli.models.loaded import LoadedModel

IDS = torch.tensor([[7, 20, 31, 44, 52, 9, 61, 13]])


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_head_is_its_weights_times_its_values(loaded: Callable[[str], LoadedModel], attention: str) -> None:
    """Against the weights that the model gives, and the outputs of its module of values, shared by two heads."""
    model = deepcopy(loaded("llama").model)
    model.set_attn_implementation("eager")
    values: list[torch.Tensor] = []
    handle = model.model.layers[1].self_attn.v_proj.register_forward_hook(lambda *args: values.append(args[2]))
    with torch.no_grad():
        weights = model(IDS, output_attentions=True).attentions[1]
    handle.remove()
    model.set_attn_implementation(attention)
    points = resolve_hook_points(model, ["head.1.0", "head.1.1", "head.1"])
    with record(model, points) as recorder:
        seen = dict(zip([point.label for point in points], recorder.run(IDS), strict=True))
    for head in (0, 1):
        torch.testing.assert_close(seen[f"layers.1.head.{head}"], weights[:, head] @ values[0])
    both = torch.cat([seen["layers.1.head.0"], seen["layers.1.head.1"]], dim=-1)
    torch.testing.assert_close(seen["layers.1.head"], both)


def test_every_family_has_heads(family: LoadedModel) -> None:
    points = resolve_hook_points(family.model, ["head.*", "head.1.1"])
    assert [point.label for point in points] == ["layers.0.head", "layers.1.head", "layers.1.head.1", "layers.2.head"]
    report = check_hook_points(family, points)
    assert set(report.projection) == {point.name for point in points}
    assert max(report.projection.values()) < 1e-5


def test_a_norm_over_all_heads_and_a_gate_leave_the_heads_in_place() -> None:
    for name in ("bitnet", "afmoe"):
        model = tiny_model(Architecture(name, "causal"))
        assert set(find_heads(model, find_layers(model)).values()) == {2}


class Shuffled(nn.Module):
    """A linear module whose input is first permuted."""

    def __init__(self, inner: nn.Module, order: torch.Tensor) -> None:
        super().__init__()
        self.inner, self.order = inner, order

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The module applied to the permuted input."""
        made: torch.Tensor = self.inner(x[..., self.order])
        return made


@pytest.mark.parametrize("order", [torch.arange(32).reshape(2, 16).T.flatten(), torch.arange(32).roll(1)])
def test_coordinates_of_two_heads_in_turn_are_refused(
    loaded: Callable[[str], LoadedModel], order: torch.Tensor
) -> None:
    model = deepcopy(loaded("llama").model)
    attention = model.model.layers[1].self_attn
    attention.o_proj = Shuffled(attention.o_proj, order)
    assert resolve_hook_points(model, ["head.0"])
    with pytest.raises(InputError, match=r"Layer 1 .* has no heads that can be proved"):
        resolve_hook_points(model, ["head.1"])


def test_the_proof_is_repeated_on_texts(loaded: Callable[[str], LoadedModel]) -> None:
    """Here the model changes after its hook points were resolved."""
    llama = replace(loaded("llama"), model=deepcopy(loaded("llama").model))
    points = resolve_hook_points(llama.model, ["head.1"])
    projection = llama.model.model.layers[1].self_attn.o_proj
    projection.register_forward_pre_hook(lambda module, args: (args[0].cumsum(-1),))
    with pytest.raises(InputError, match="does not hold attention heads of 16 numbers"):
        check_hook_points(llama, points)


def test_finding_heads_twice_takes_one_pass(loaded: Callable[[str], LoadedModel]) -> None:
    model = deepcopy(loaded("llama").model)
    first = resolve_hook_points(model, ["head.*"])
    passes: list[object] = []
    model.register_forward_pre_hook(lambda *args: passes.append(args))
    assert resolve_hook_points(model, ["head.*"]) == first
    assert passes == []
