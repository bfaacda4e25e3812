"""Computed sounds with the pitch and the formants of voices: vowels and noise, no recordings of speech.

A voice is a train of pulses through four resonances, in the manner of Klatt (1980), Software for a cascade/parallel
formant synthesizer. The formants of vowels are those of men in Peterson and Barney (1952), Control methods used in a study of the
vowels, scaled by the length of the vocal tract.
"""

from __future__ import annotations

import numpy as np

from glasso_cli.models.known.resemblyzer import RATE

UTTERANCES = 300
SECONDS = 1.6
_FORMANTS = (
    (270, 2290, 3010),
    (390, 1990, 2550),
    (530, 1840, 2480),
    (660, 1720, 2410),
    (730, 1090, 2440),
    (570, 840, 2410),
    (440, 1020, 2240),
    (300, 870, 2240),
    (640, 1190, 2390),
    (490, 1350, 1690),
)  # hertz, of ten vowels
_WIDTHS = (60, 90, 130, 200)  # hertz, of the resonances
_FOURTH = 3500  # hertz: the fourth formant of all vowels
_LOUDNESS = 10 ** (-26 / 20)  # root mean square


def low() -> list[np.ndarray]:
    """Waves ``(25600,)`` in float32 of voices from 80 to 150 Hz; each is a document with a voice of its own."""
    return _utterances(0, (80, 150), (0.9, 1.05))


def high() -> list[np.ndarray]:
    """The same from 170 to 280 Hz, with shorter vocal tracts."""
    return _utterances(1, (170, 280), (1.1, 1.25))


def _utterances(corpus: int, pitches: tuple[int, int], scales: tuple[float, float]) -> list[np.ndarray]:
    waves = []
    for index in range(UTTERANCES):
        random = np.random.default_rng([corpus, index])
        waves.append(_utterance(random, random.uniform(*pitches), random.uniform(*scales)))
    return waves


def _utterance(random: np.random.Generator, pitch: float, scale: float) -> np.ndarray:
    """Vowels of 0.1 to 0.3 s with noise between them, at a pitch in hertz that wanders and falls."""
    n = int(SECONDS * RATE)
    wave = np.zeros(n)
    start = 0
    while start < n:
        length = int(random.uniform(0.1, 0.3) * RATE)
        wave[start : start + length] += _vowel(random, length, pitch, scale)[: n - start]
        pitch *= random.uniform(0.9, 1.08)
        start += length
        hiss = int(random.uniform(0.02, 0.1) * RATE)
        wave[start : start + hiss] += _hiss(random, hiss)[: max(0, n - start)]
        start += hiss
    wave *= _LOUDNESS / np.sqrt(np.mean(wave**2))
    return wave.astype(np.float32)


def _vowel(random: np.random.Generator, length: int, pitch: float, scale: float) -> np.ndarray:
    from scipy.signal import lfilter

    steps = pitch * (1 + 0.01 * np.cumsum(random.standard_normal(length)) / np.sqrt(RATE / 10)) / RATE
    sound = np.diff(np.floor(np.cumsum(steps)), prepend=0.0)
    sound = lfilter([1.0], [1.0, -0.95], sound) + 0.003 * random.standard_normal(length)
    for formant, width in zip((*_FORMANTS[random.integers(len(_FORMANTS))], _FOURTH), _WIDTHS):
        radius, angle = np.exp(-np.pi * width / RATE), 2 * np.pi * formant * scale / RATE
        poles = [1.0, -2 * radius * np.cos(angle), radius**2]
        sound = lfilter([sum(poles)], poles, sound)
    return _faded(sound / np.sqrt(np.mean(sound**2)))


def _hiss(random: np.random.Generator, length: int) -> np.ndarray:
    """Noise that is louder at high frequencies, or silence."""
    return float(random.choice([0.0, 0.15])) * _faded(np.diff(random.standard_normal(length + 1)))


def _faded(sound: np.ndarray) -> np.ndarray:
    """With 10 ms of rise and fall."""
    ramp = np.minimum(1.0, np.arange(1, len(sound) + 1) / (0.01 * RATE))
    faded: np.ndarray = sound * ramp * ramp[::-1]
    return faded
