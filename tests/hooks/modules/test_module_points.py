"""Which tensors patterns name in any module, and the axes of each."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.tiny_networks import Convolutional, Recurrent, Rows, batch, seeded
from torch import nn

from glasso_cli.errors import InputError
from glasso_cli.hooks.modules.axes import as_samples, axes_of
from glasso_cli.hooks.modules.resolve import resolve_module_points
from glasso_cli.hooks.point import HookPoint
from glasso_cli.hooks.record import record
from glasso_cli.models.modules.network import ModuleNetwork

IMAGES = batch(2, 3, 12, 12)


def test_a_convolution_stands_for_its_channels_after_norm_and_nonlinearity() -> None:
    points = resolve_module_points(seeded(Convolutional), ["conv.*"], IMAGES)
    # A module, a function whose result the next module reads, and a projection without a nonlinearity.
    assert [point.name for point in points] == ["act:out", "last:in", "last:out"]
    assert [(point.label, point.layer, point.width, point.axes) for point in points] == [
        ("conv.0", 0, 6, "bchw"),
        ("conv.1", 1, 8, "bchw"),
        ("conv.2", 2, 4, "bchw"),
    ]


def test_a_negative_number_counts_from_the_last_convolution() -> None:
    assert resolve_module_points(seeded(Convolutional), ["conv.-1"], IMAGES)[0].label == "conv.2"


def test_patterns_name_modules_and_rows_have_no_positions() -> None:
    points = resolve_module_points(seeded(Rows), ["layers.*:out"], batch(3, 4))
    assert [(point.name, point.layer, point.axes) for point in points] == [
        ("layers.0:out", 0, "bc"),
        ("layers.1:out", 1, "bc"),
        ("layers.2:out", 2, "bc"),
    ]


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("conv.9", r"matches no convolution: this network has 3.*'conv.0' to 'conv.2'"),
        ("rnn.0", r"matches no recurrent layer: this network has none"),
        ("secnd:out", r"matches no module.*'second:out'"),
        ("second", r"does not say which side.*second:in"),
        ("mlp.3", r"is for models of transformers"),
    ],
)
def test_a_pattern_that_names_nothing_is_refused(pattern: str, words: str) -> None:
    with pytest.raises(InputError) as error:
        resolve_module_points(seeded(Convolutional), [pattern], IMAGES)
    import re

    assert re.search(words, f"{error.value} {error.value.hint}")


def test_a_module_that_does_not_run_is_refused() -> None:
    network = seeded(Convolutional)
    network.module.spare = nn.Linear(2, 2)
    with pytest.raises(InputError, match="did not run"):
        resolve_module_points(network, ["spare:out"], IMAGES)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"batch_first": False}])
def test_every_layer_of_a_recurrent_module_is_read(kind: str, options: dict[str, bool]) -> None:
    settings = {"batch_first": True, **options}
    torch.manual_seed(0)
    module = Recurrent(kind, **settings)
    given = batch(2, 7, 4) if settings["batch_first"] else batch(7, 2, 4)
    module(given.values)  # its lazy part learns its width
    from glasso_cli.models.modules.network import network_of

    network = network_of(module)
    fused: Any = network.module.rnn
    before, states = fused(given.values)
    points = resolve_module_points(network, ["rnn.*"], given)
    width = 5 * (2 if options.get("bidirectional") else 1)
    assert [(point.label, point.width) for point in points] == [(f"rnn.{layer}", width) for layer in range(3)]
    assert points[0].axes == ("btc" if settings["batch_first"] else "tbc")
    chain: Any = network.module.rnn
    after, same = chain(given.values)
    torch.testing.assert_close(after, before)
    for one, other in zip(states if kind == "LSTM" else [states], same if kind == "LSTM" else [same]):
        torch.testing.assert_close(one, other)
    values = read(network, points, given.values, 2)
    top = before if settings["batch_first"] else before.transpose(0, 1)
    torch.testing.assert_close(values[2], top)
    assert not torch.allclose(values[0], values[2])


def read(network: ModuleNetwork, points: tuple[HookPoint, ...], values: torch.Tensor, count: int) -> list[torch.Tensor]:
    from glasso_cli.models.modules.network import ModuleBatch

    given = ModuleBatch(values, torch.full((count,), values.shape[1]))
    with record(network.module, points) as recorder:
        return recorder.read(
            lambda: network.run(given), lambda point, tensor: as_samples(point, tensor, count), network.errors()
        )


def test_what_was_captured_outlives_an_operation_in_place() -> None:
    network = seeded(lambda: Convolutional(inplace=True))
    points = resolve_module_points(network, ["norm:out", "act:out"], IMAGES)
    before, after = (
        dict(zip([p.name for p in points], read(network, points, IMAGES.values, 2)))[name]
        for name in ("norm:out", "act:out")
    )
    assert bool((before < 0).any())
    torch.testing.assert_close(before.clamp_min(0), after)


def test_positions_of_an_image_are_rows_of_samples() -> None:
    tensor = torch.arange(2 * 3 * 2 * 4).reshape(2, 3, 2, 4).float()
    samples = as_samples(HookPoint("x:out", None, 3, "x", "bchw"), tensor, 2)
    assert samples.shape == (2, 8, 3)
    torch.testing.assert_close(samples[1, 5], tensor[1, :, 1, 1])


@pytest.mark.parametrize(
    ("module", "shape", "axes"),
    [
        (nn.Conv2d(1, 1, 1), (2, 3, 4, 4), "bchw"),
        (nn.ReLU(), (2, 3, 4, 4), "bchw"),
        (nn.LayerNorm(3), (2, 4, 4, 3), "bhwc"),
        (nn.Linear(3, 3), (2, 5, 3), "btc"),
        (nn.Conv1d(3, 3, 1), (2, 3, 5), "bct"),
        (nn.ReLU(), (2, 3), "bc"),
        (nn.ReLU(), (2,), None),
    ],
)
def test_axes_follow_from_the_kind_of_the_module(module: nn.Module, shape: tuple[int, ...], axes: str | None) -> None:
    assert axes_of(module, torch.zeros(shape)) == axes


def test_axes_that_do_not_fit_are_refused() -> None:
    network = seeded(Convolutional)
    with pytest.raises(InputError, match="not one with the axes btc"):
        resolve_module_points(network, ["first:out"], IMAGES, "btc")
    points = resolve_module_points(network, ["first:out"], IMAGES, "cbhw")
    with pytest.raises(InputError, match="whose axes are not cbhw with 2 documents"):
        read(network, points, IMAGES.values, 2)
