"""Interventions at hook points whose units are not on the last axis, or whose documents are not on the first."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from glasso_cli.hooks import HookPoint, ablate
from glasso_cli.hooks.edit import Intervention

SHAPES = {
    "btc": (2, 5, 4),
    "bct": (2, 4, 5),
    "tbc": (5, 2, 4),
    "bc": (2, 4),
    "bchw": (2, 4, 3, 3),
    "bhwc": (2, 3, 3, 4),
}


@pytest.mark.parametrize("axes", SHAPES)
def test_only_the_chosen_units_change(axes: str) -> None:
    values = torch.randn(SHAPES[axes])
    net = nn.Sequential(nn.Identity(), nn.Identity())
    seen: list[tuple[int, ...]] = []

    def add_one(current: Tensor) -> Tensor:
        seen.append(tuple(current.shape))
        return current + 1

    point = HookPoint("0:out", None, 4, "0:out", axes)
    with ablate(net, [Intervention(point, add_one, (1, 3))]):
        found = net(values)
    units = axes.index("c")
    expected = values.clone()
    expected.index_add_(
        units, torch.tensor([1, 3]), torch.ones_like(expected.index_select(units, torch.tensor([1, 3])))
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert found.stride() == values.stride()
    assert seen[0][0] == 2
    assert seen[0][-1] == 2
