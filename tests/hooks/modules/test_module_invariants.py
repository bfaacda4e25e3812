"""Networks that cannot be read are refused before they are."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.tiny_networks import Convolutional, Recurrent, batch, seeded
from torch import Tensor, nn
from torch.nn import functional

from glasso_cli.collection.modules.windows import batch_of
from glasso_cli.errors import InputError
from glasso_cli.hooks.modules.invariants import ModuleReport, check_module_points
from glasso_cli.hooks.modules.resolve import resolve_module_points
from glasso_cli.models.modules.network import network_of


def check(module: nn.Module, pattern: str, *shapes: tuple[int, ...], prepared: Any = None) -> ModuleReport:
    network = seeded(lambda: module)
    documents = [batch(1, *shape, seed=index).values[0] for index, shape in enumerate(shapes)]
    points = resolve_module_points(network, [pattern], batch_of(documents))
    return check_module_points(network, points, documents, batch_of)


IMAGE = (3, 8, 8)


def test_a_sound_network_passes() -> None:
    report = check(Convolutional(), "conv.*", IMAGE, IMAGE, IMAGE)
    assert max(report.repeated.values()) == 0
    assert max(report.batching.values()) < 1e-5
    assert report.mixed_lengths


class Wrong(nn.Module):
    """A convolution, and what ``wrong`` makes of its output."""

    def __init__(self, wrong: Any) -> None:
        super().__init__()
        self.conv, self.out, self.wrong = nn.Conv2d(3, 4, 1), nn.Identity(), wrong

    def forward(self, images: Tensor) -> Tensor:
        made: Tensor = self.out(self.wrong(self.conv(images)))
        return made


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda x: functional.dropout(x, 0.5, training=True), "document alone"),
        (lambda x: x - x.mean(0, keepdim=True), "document alone"),
        (lambda x: functional.batch_norm(x, None, None, training=True), "document alone"),
        (lambda x: x / 0, "not finite"),
    ],
)
def test_what_depends_on_chance_or_on_the_batch_is_refused(wrong: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check(Wrong(wrong), "out:out", IMAGE, IMAGE, IMAGE)


def test_a_module_that_goes_back_to_training_is_refused() -> None:
    class Trains(Convolutional):
        def forward(self, images: Tensor) -> Tensor:
            self.head.train()
            return super().forward(images)

    with pytest.raises(InputError, match="'head' is in training mode"):
        check(Trains(), "conv.0", IMAGE, IMAGE)


def test_a_module_with_a_state_is_refused() -> None:
    class Counts(nn.Module):
        calls = 0

        def forward(self, values: Tensor) -> Tensor:
            self.calls += 1
            return values * self.calls

    with pytest.raises(InputError, match="called again"):
        check(nn.Sequential(nn.Conv2d(3, 4, 1), Counts()), "1:out", IMAGE, IMAGE)


def test_padding_that_reaches_the_steps_before_keeps_lengths_apart() -> None:
    def made(**options: Any) -> nn.Module:
        module = Recurrent("GRU", 1, batch_first=True, **options)
        module(torch.zeros(1, 2, 4))
        return module

    assert check(made(), "rnn.0", (3, 4), (7, 4)).mixed_lengths
    assert not check(made(bidirectional=True), "rnn.0", (3, 4), (7, 4)).mixed_lengths


def test_a_script_module_is_refused_by_name() -> None:
    module = nn.Sequential(nn.Linear(2, 2), torch.jit.script(nn.Linear(2, 2)))
    with pytest.raises(InputError, match="'1' is a ScriptModule"):
        network_of(module)


def test_weights_without_a_shape_are_refused() -> None:
    with pytest.raises(InputError, match=r"'0\.weight' has no shape"):
        network_of(nn.Sequential(nn.LazyLinear(2)))


def test_float32_is_float32_and_transformer_layers_run_their_parts() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    report = check(nn.TransformerEncoder(layer, 1, enable_nested_tensor=False), "layers.0.linear2:in", (5, 8), (5, 8))
    assert list(report.batching) == ["layers.0.linear2:in"]
