"""Norms are known by what they compute, whatever they are called."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from glasso_cli.derivatives.layout.norms import as_norm

D = 12


class ShiftedGain(nn.Module):
    """An RMS norm whose gain is one plus its weight, as in Gemma."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(D) / 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * (1 + self.weight)


def layer_norm() -> nn.Module:
    norm = nn.LayerNorm(D)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm


@pytest.mark.parametrize(
    ("module", "centred"), [(ShiftedGain(), False), (nn.RMSNorm(D), False), (layer_norm(), True)], ids=str
)
def test_a_norm_is_its_linear_map_at_the_scales_of_its_tokens(module: nn.Module, centred: bool) -> None:
    norm = as_norm("norm", module, D)
    assert norm is not None
    assert norm.centred == centred
    x = torch.randn(5, 7, D) * torch.tensor([0.1, 1, 10, 100, 1000])[:, None, None]
    scales = norm.scales(x, module(x))
    torch.testing.assert_close(norm.held(x, scales), module(x), rtol=1e-4, atol=1e-5)
    # with the scales held, a change of the input goes through the map
    step = torch.randn(D)
    moved = norm.held(x + step, scales) - norm.held(x, scales)
    torch.testing.assert_close(moved, scales[..., None] * norm.through(step[:, None])[:, 0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "module",
    [nn.Identity(), nn.Linear(D, D), nn.GELU(), nn.Dropout(0.1).eval(), nn.Softmax(-1), nn.BatchNorm1d(D).eval()],
    ids=str,
)
def test_other_modules_are_no_norms(module: nn.Module) -> None:
    assert as_norm("module", module, D) is None


def test_a_module_that_takes_something_else_is_no_norm() -> None:
    assert as_norm("module", nn.Bilinear(D, D, D), D) is None
    assert as_norm("module", nn.LayerNorm(D + 1), D) is None
