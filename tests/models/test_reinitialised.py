"""Networks with fresh weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel

from glasso_cli.errors import InputError
from glasso_cli.models.reinitialised import reinitialised


def gpt2() -> GPT2LMHeadModel:
    torch.manual_seed(5)
    model: GPT2LMHeadModel = GPT2LMHeadModel(
        GPT2Config(n_layer=2, n_head=2, n_embd=16, vocab_size=50, n_positions=20)
    ).eval()
    for weights in model.parameters():
        weights.data += 1  # as if trained
    return model


def test_the_weights_are_those_of_the_initialiser() -> None:
    model = gpt2()
    before = {name: weights.clone() for name, weights in model.state_dict().items()}
    state = torch.random.get_rng_state()
    fresh = reinitialised(model, 3)
    assert torch.equal(state, torch.random.get_rng_state())
    assert not fresh.training
    assert all(torch.equal(weights, before[name]) for name, weights in model.state_dict().items())
    weight = fresh.get_parameter("transformer.h.0.mlp.c_fc.weight")
    assert abs(float(weight.mean())) < 0.01
    assert float(weight.std()) == pytest.approx(0.02, rel=0.2)
    assert not any(weights.requires_grad for weights in fresh.parameters())
    with torch.no_grad():
        assert fresh(torch.tensor([[1, 2, 3]])).logits.shape == (1, 3, 50)


def test_a_seed_gives_the_same_weights_and_another_seed_others() -> None:
    model = gpt2()
    first, again, other = (reinitialised(model, seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["transformer.h.1.mlp.c_proj.weight"], other["transformer.h.1.mlp.c_proj.weight"])


def test_any_module_of_torch_with_a_way_to_draw_its_weights() -> None:
    torch.manual_seed(0)
    trained = (
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)).double().eval()
    )
    for weights in trained.parameters():
        weights.data += 10
    norm = trained[1]
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    norm.running_mean += 7
    fresh = reinitialised(trained, 0)
    state = fresh.state_dict()
    assert state["0.weight"].dtype == torch.float64
    assert float(state["0.weight"].abs().max()) < 1
    assert float(state["1.running_mean"].abs().max()) == 0
    assert not fresh[1].training


class Own(nn.Module):
    """A module with a parameter and no initialiser."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(2))


def test_a_module_without_an_initialiser_is_named() -> None:
    with pytest.raises(InputError, match="'1' does not say how its weights are drawn"):
        reinitialised(nn.Sequential(nn.Linear(2, 2), Own()), 0)
