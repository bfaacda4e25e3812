"""The derivative of a norm, and whether a pattern is a softmax of products of queries and keys."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from glasso_cli.derivatives.all_paths.clean import NormAt, scaling_of
from glasso_cli.derivatives.layout.norms import as_norm


@pytest.mark.parametrize("module", [nn.LayerNorm(6), nn.RMSNorm(6, eps=1e-5)], ids=["centred", "not centred"])
def test_the_derivative_of_a_norm(module: nn.Module) -> None:
    """At tokens so small that the epsilon counts, too."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    norm = as_norm("norm", module, 6)
    assert norm is not None
    x, moves = torch.randn(5, 6) * torch.tensor([1, 10, 0.1, 1e-2, 1e-3])[:, None], torch.randn(3, 6)
    at = NormAt.of_pass(norm, x, module(x).detach())
    for token in range(5):
        expected = torch.stack([torch.func.jvp(module, (x[token],), (move,))[1] for move in moves])
        torch.testing.assert_close(at.of(moves, token), expected.detach(), rtol=1e-3, atol=1e-3)


def test_the_scaling_of_products_is_found_and_other_patterns_are_not_taken() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(2, 3, 7, 4), torch.randn(2, 3, 7, 4)
    mask = torch.ones(7, 7).tril().log()
    products = 0.3 * query @ key.transpose(2, 3) + mask
    found = scaling_of(products.softmax(-1).transpose(1, 2), query, key)
    assert found == pytest.approx(0.3, abs=1e-5)
    capped = (torch.tanh(products.clamp(min=-1e4)) + mask).softmax(-1)
    slopes = (products + torch.arange(7.0)).softmax(-1)
    for other in (capped, slopes):
        assert scaling_of(other.transpose(1, 2), query, key) is None


def test_a_single_token_says_nothing_of_the_scaling() -> None:
    query, key = torch.randn(1, 2, 1, 4), torch.randn(1, 2, 1, 4)
    assert scaling_of(torch.ones(1, 1, 2, 1), query, key) is None
