"""Receptive fields as measured, against those that follow from kernels, strides, padding and dilation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.tiny_networks import Recurrent, batch, seeded
from torch import Tensor, nn

from glasso_cli.hooks.modules import receptive
from glasso_cli.hooks.modules.receptive import receptive_fields
from glasso_cli.hooks.modules.resolve import resolve_module_points
from glasso_cli.models.modules.network import ModuleBatch, ModuleNetwork


def fields(network: ModuleNetwork, given: ModuleBatch, *names: str, axes: tuple[int, ...] = (1, 2)) -> list[np.ndarray]:
    return receptive_fields(network, resolve_module_points(network, names, given), given, axes)


def exact(length: int, layers: list[tuple[int, int, int, int]]) -> np.ndarray:
    """First and one past the last place of every position after ``layers`` of kernel, stride, padding and dilation."""
    span = np.stack([np.arange(length), np.arange(length) + 1], axis=1)
    for kernel, stride, padding, dilation in layers:
        reach = dilation * (kernel - 1)
        count = (len(span) + 2 * padding - reach - 1) // stride + 1
        taps = np.arange(count)[:, None] * stride - padding + np.arange(kernel) * dilation
        inside = (taps >= 0) & (taps < len(span))
        taps = np.clip(taps, 0, len(span) - 1)
        first = np.where(inside, span[taps, 0], length).min(1)
        span = np.stack([first, np.where(inside, span[taps, 1], 0).max(1)], axis=1)
    return span


LAYERS = [
    [(3, 1, 1, 1)],
    [(3, 2, 1, 1), (5, 1, 2, 1)],
    [(5, 1, 0, 2), (3, 2, 1, 1), (2, 2, 0, 1)],
    [(4, 2, 1, 1), (3, 1, 2, 2), (3, 3, 0, 1)],
]


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("activation", [nn.ReLU, nn.ReLU6, nn.GELU])
def test_fields_are_those_of_kernels_and_strides(
    layers: list[tuple[int, int, int, int]], activation: type[nn.Module]
) -> None:
    parts: list[nn.Module] = []
    for index, (kernel, stride, padding, dilation) in enumerate(layers):
        parts += [nn.Conv2d(8 if index else 3, 8, kernel, stride, padding, dilation), activation()]
    network = seeded(lambda: nn.Sequential(*parts))
    (found,) = fields(network, batch(4, 3, 20, 75), f"{2 * len(layers) - 1}:out")
    rows, columns = exact(20, layers), exact(75, layers)
    wanted = np.stack([np.repeat(rows, len(columns), axis=0), np.tile(columns, (len(rows), 1))], axis=1)
    np.testing.assert_array_equal(found, wanted)


def test_pooling_counts_and_each_hook_point_has_its_own_field() -> None:
    network = seeded(lambda: nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 4, 1)))
    first, second = fields(network, batch(4, 1, 12, 12), "1:out", "3:out")
    assert first.shape == (100, 2, 2)
    assert second[0].tolist() == [[0, 4], [0, 4]]
    assert second[-1].tolist() == [[8, 12], [8, 12]]


class Squeeze(nn.Module):
    """A convolution whose channels are scaled by what the whole image holds."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate, self.last = nn.Conv2d(3, 6, 3), nn.Linear(6, 6), nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        x = self.conv(images)
        made: Tensor = self.last(x * torch.sigmoid(self.gate(x.mean((2, 3))))[:, :, None, None])
        return made


def test_squeeze_and_excite_sees_the_whole_image() -> None:
    (found,) = fields(seeded(Squeeze), batch(4, 3, 16, 16), "last:out")
    assert (found == [0, 16]).all()


def test_a_causal_sequence_sees_all_steps_before() -> None:
    module = Recurrent("GRU", 1, batch_first=True)
    module(torch.zeros(1, 2, 4))
    network = seeded(lambda: module)
    (found,) = fields(network, batch(4, 9, 4), "rnn:out", axes=(0,))
    np.testing.assert_array_equal(found[:, 0], [[0, step + 1] for step in range(9)])


def test_a_unit_that_nothing_changes_has_the_empty_field() -> None:
    network = seeded(lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()))  # weights of zero
    with torch.no_grad():
        next(network.module.parameters()).fill_(0)
    (found,) = fields(network, batch(4, 1, 8, 8), "1:out")
    assert not found.any()


def test_long_axes_are_measured_by_few_passes() -> None:
    network = seeded(lambda: nn.Sequential(nn.Conv1d(1, 4, 9, stride=4), nn.ReLU()))
    passes = []
    network.module.register_forward_pre_hook(lambda *_: passes.append(1))
    (found,) = fields(network, batch(4, 1, 3000), "0:out", axes=(1,))
    np.testing.assert_array_equal(found[:, 0], exact(3000, [(9, 4, 0, 1)]))
    assert len(passes) < 100


def test_fields_that_need_too_many_passes_end_at_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receptive, "PASSES", 12)
    network = seeded(lambda: nn.Sequential(nn.Conv1d(1, 4, 40, stride=4), nn.ReLU()))
    (found,) = fields(network, batch(4, 1, 640), "0:out", axes=(1,))
    wanted = exact(640, [(40, 4, 0, 1)])
    np.testing.assert_array_equal(found[:, 0, 0], wanted[:, 0] // 20 * 20)
    np.testing.assert_array_equal(found[:, 0, 1], -(-wanted[:, 1] // 20) * 20)
