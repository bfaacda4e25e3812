"""The network of the package resemblyzer: an LSTM of three layers reads an utterance, and gives one vector per speaker.

The weights are ``resemblyzer:pretrained.pt``. Documents are waves at 16 kHz; :func:`spectrogram` turns them into what the
network reads. Training and method: Wan, Wang, Papir and Lopez Moreno (2018), Generalized end-to-end loss for speaker
verification.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from glasso_cli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

RATE = 16_000  # samples per second
BANDS = 40
_WINDOW, _STEP = 400, 160  # samples: 25 and 10 ms
_LOUDNESS = 10 ** (-30 / 20)  # root mean square to which quieter waves are raised: -30 dB of full scale
_LARGEST = 2.0  # resampling can exceed 1 a little
_TRAINING_ONLY = ("similarity_weight", "similarity_bias")


def encoder() -> tuple[nn.Module, Callable[[Any], np.ndarray]]:
    """The encoder, spectrograms ``(b, T, 40)`` to unit vectors ``(b, 256)``, and :func:`spectrogram`."""
    from torch import nn

    class Encoder(nn.Module):
        """Three layers of an LSTM, and a linear layer over the last step."""

        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(BANDS, 256, 3, batch_first=True)
            self.linear = nn.Linear(256, 256)
            self.relu = nn.ReLU()
            hook: Any = self.register_load_state_dict_pre_hook
            hook(_without_loss)

        def forward(self, spectrograms: Any) -> Any:
            state = self.lstm(spectrograms)[1][0]
            return nn.functional.normalize(self.relu(self.linear(state[-1])), dim=1)

    return Encoder(), spectrogram


def spectrogram(wave: Any) -> np.ndarray:
    """Power in 40 mel bands every 10 ms, ``(1 + samples // 160, 40)`` float32, of a wave ``(samples,)`` in -1 to 1 at 16 kHz.

    Windows of Hann are centred on their steps, with zeros beyond both ends. A wave quieter than -30 dB is raised to that.
    Raises :class:`InputError` for other shapes and for values far outside the range.
    """
    samples = np.asarray(wave, dtype=np.float64)
    if samples.ndim != 1 or len(samples) < _WINDOW:
        raise InputError(
            f"A document has shape {samples.shape}, which is no wave of one channel and at least {_WINDOW} samples.",
            "Give waves with the shape (samples,) at 16 kHz.",
        )
    if np.abs(samples).max() > _LARGEST:
        raise InputError(
            f"A wave reaches {np.abs(samples).max():.4g}, but waves should lie in -1 to 1.",
            "Divide 16-bit samples by 32768.",
        )
    loudness = np.sqrt(np.mean(samples**2))
    if 0 < loudness < _LOUDNESS:
        samples = samples * (_LOUDNESS / loudness)
    padded = np.pad(samples, _WINDOW // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_STEP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    power = np.abs(np.fft.rfft(windows * hann)) ** 2
    bands: np.ndarray = power @ mel_bands().T
    return bands.astype(np.float32)


def mel_bands() -> np.ndarray:
    """The weights of frequencies in bands, ``(40, 201)``: triangles of equal area, evenly spaced in mel.

    The scale is that of Slaney (1998), Auditory Toolbox: linear to 1 kHz, and logarithmic above.
    """
    frequencies = np.fft.rfftfreq(_WINDOW, 1 / RATE)
    edges = _hertz(np.linspace(0.0, _mel(RATE / 2), BANDS + 2))
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    triangles: np.ndarray = np.maximum(0.0, np.minimum(rising, falling)) * 2 / (high - low)
    return triangles


_PER_MEL = 200 / 3  # hertz, below 1 kHz
_KNEE = 1000 / _PER_MEL  # mel
_GROWTH = np.log(6.4) / 27  # of the logarithm of hertz per mel, above 1 kHz


def _mel(hertz: float) -> float:
    return _KNEE + float(np.log(hertz / 1000)) / _GROWTH if hertz >= 1000 else hertz / _PER_MEL


def _hertz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < _KNEE, mel * _PER_MEL, 1000 * np.exp(_GROWTH * (mel - _KNEE)))


def _without_loss(module: Any, state: dict[str, Any], *rest: Any) -> None:
    """Leave out the two numbers that only the loss of the training reads."""
    for name in _TRAINING_ONLY:
        state.pop(name, None)
