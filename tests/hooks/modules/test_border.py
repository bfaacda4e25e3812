"""Which positions depend on padding: measured, against what arithmetic says of stacks of convolutions."""

from __future__ import annotations

import pytest
import torch
from support.tiny_networks import batch, seeded
from torch import Tensor, nn
from torch.nn import functional

from glasso_cli.hooks.modules.border import border_of, positions_at_border
from glasso_cli.hooks.modules.resolve import resolve_module_points


def measured(module: nn.Module, size: int = 16) -> Tensor:
    network = seeded(lambda: module)
    given = batch(3, 2, size, size)
    points = resolve_module_points(network, ["*:out"], given)
    last = [name for name, _ in network.module.named_modules() if name][-1]
    point = next(point for point in points if point.name == f"{last}:out")
    return positions_at_border(network, [point], given)[0]


@pytest.mark.parametrize(("depth", "kernel"), [(1, 3), (2, 3), (3, 3), (1, 5), (2, 5)])
def test_the_border_is_as_wide_as_the_paddings_before(depth: int, kernel: int) -> None:
    torch.manual_seed(1)
    stack = nn.Sequential(*(nn.Conv2d(2, 2, kernel, padding=kernel // 2) for _ in range(depth)))
    assert torch.equal(measured(stack), border_of((16, 16), depth * (kernel // 2)))


def test_a_stride_divides_the_border() -> None:
    torch.manual_seed(1)
    stack = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 2, stride=2))
    assert torch.equal(measured(stack), border_of((8, 8), 1))


@pytest.mark.parametrize(
    "module",
    [
        nn.Conv2d(2, 2, 3, padding="same"),
        nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(2, 2, 3)),
        nn.Sequential(nn.MaxPool2d(3, 1, padding=1), nn.Conv2d(2, 2, 1)),
        nn.Sequential(nn.AvgPool2d(3, 1, padding=1), nn.Conv2d(2, 2, 1)),
    ],
)
def test_every_way_to_pad_is_seen(module: nn.Module) -> None:
    assert torch.equal(measured(nn.Sequential(module)), border_of((16, 16), 1))


def test_without_padding_there_is_no_border() -> None:
    assert not measured(nn.Sequential(nn.Conv2d(2, 2, 3))).any()


def test_a_shortcut_does_not_hide_the_border_of_the_other_path() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.long = nn.Conv2d(2, 2, 5, stride=2, padding=2)
            self.short = nn.Conv2d(2, 2, 1, stride=2)
            self.out = nn.Identity()

        def forward(self, images: Tensor) -> Tensor:
            made: Tensor = self.out(functional.relu(self.long(images)) + self.short(images))
            return made

    border = measured(Residual()).reshape(8, 8)
    assert border[0].all()
    assert border[:, 0].all()
    assert not border[1:-1, 1:-1].any()
