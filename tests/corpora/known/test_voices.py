"""The computed voices: the same every time, each with a pitch in its range."""

from __future__ import annotations

import numpy as np
import pytest

from glasso_cli.corpora.known import voices
from glasso_cli.models.known.resemblyzer import RATE


@pytest.fixture(params=[(voices.low, 80, 150), (voices.high, 170, 280)], ids=["low", "high"])
def corpus(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[list[np.ndarray], int, int]:
    """Eight waves, and the range of their pitch at the start, in hertz."""
    monkeypatch.setattr(voices, "UTTERANCES", 8)
    make, least, most = request.param
    return make(), least, most


def test_waves_are_sound_at_one_loudness(corpus: tuple[list[np.ndarray], int, int]) -> None:
    waves, *_ = corpus
    for wave in waves:
        assert wave.shape == (25_600,)
        assert wave.dtype == np.float32
        assert np.abs(wave).max() < 1
        assert np.sqrt(np.mean(wave**2)) == pytest.approx(10 ** (-26 / 20), rel=1e-4)
    assert len({wave.tobytes() for wave in waves}) == len(waves)


def test_the_pitch_of_the_first_vowel_is_in_the_range(corpus: tuple[list[np.ndarray], int, int]) -> None:
    waves, least, most = corpus
    for wave in waves:
        vowel = wave[160:1600]
        lags = np.arange(RATE // 320, RATE // 70)
        repeats = [float(vowel[lag:] @ vowel[:-lag]) / (len(vowel) - lag) for lag in lags]
        found = RATE / lags[int(np.argmax(repeats))]
        assert any(least * 0.93 <= found * octave <= most * 1.07 for octave in (1, 2))


def test_every_call_gives_the_same(corpus: tuple[list[np.ndarray], int, int]) -> None:
    waves, least, _ = corpus
    again = voices.low() if least == 80 else voices.high()
    assert all(np.array_equal(wave, other) for wave, other in zip(waves, again, strict=True))
