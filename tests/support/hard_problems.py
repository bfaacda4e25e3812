"""Correlations that are hard to solve: few samples, near-duplicates, long memory, one factor, large eigenvalues."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def few_samples(p: int, n: int, seed: int = 0) -> np.ndarray:
    """The correlation of ``n`` samples of independent neurons: its rank is n - 1."""
    return correlation(np.random.default_rng(seed).standard_normal((n, p)))


def autoregression(p: int, rho: float) -> np.ndarray:
    """rho^|i - j|: its inverse is a chain."""
    return np.asarray(rho ** np.abs(np.subtract.outer(np.arange(p), np.arange(p))))


def equal_blocks(p: int, size: int, noise: float, n: int = 400, seed: int = 0) -> np.ndarray:
    """Blocks of ``size`` equal neurons, each with its own noise."""
    rng = np.random.default_rng(seed)
    draws = np.repeat(rng.standard_normal((n, -(-p // size))), size, axis=1)[:, :p]
    return correlation(draws + noise * rng.standard_normal((n, p)))


def one_factor(p: int, loading: float, n: int = 400, seed: int = 0) -> np.ndarray:
    """One factor that drives all neurons."""
    rng = np.random.default_rng(seed)
    return correlation(loading * rng.standard_normal((n, 1)) + rng.standard_normal((n, p)))


def constant(p: int, r: float) -> np.ndarray:
    """Any two neurons have the correlation r."""
    return np.full((p, p), r) + (1 - r) * np.eye(p)


def spiked(p: int, spikes: int, size: float, n: int = 400, seed: int = 0) -> np.ndarray:
    """A few directions with ``size`` times the variance of the others."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.standard_normal((p, spikes)))[0]
    return correlation(rng.standard_normal((n, p)) + np.sqrt(size) * rng.standard_normal((n, spikes)) @ directions.T)


def correlation(draws: np.ndarray) -> np.ndarray:
    """The correlation ``(p, p)`` of samples ``(n, p)``, exactly symmetric."""
    S = np.corrcoef(draws.T)
    S = (S + S.T) / 2
    np.fill_diagonal(S, 1.0)
    return np.asarray(S)


@dataclass(frozen=True)
class Hard:
    """A problem by name: how to make its correlation, and alpha as a share of the largest correlation."""

    name: str
    make: str  # a function above
    arguments: tuple[float, ...]
    share: float

    @property
    def covariance(self) -> np.ndarray:
        """The correlation ``(p, p)``."""
        return np.asarray(globals()[self.make](*self.arguments))

    @property
    def alpha(self) -> float:
        """The share of the largest correlation off the diagonal: from there on, all neurons are isolated."""
        S = self.covariance
        return float(self.share * np.abs(S - np.diag(S.diagonal())).max())


def _named(make: str, arguments: tuple[float, ...], *shares: float) -> list[Hard]:
    words = ", ".join(f"{value:g}" for value in arguments)
    return [Hard(f"{make}({words}) {share:g}", make, arguments, share) for share in shares]


SMALL: list[Hard] = [
    *_named("few_samples", (2, 2), 0.5, 0.001),
    *_named("few_samples", (3, 2), 0.5, 0.001),
    *_named("few_samples", (12, 2), 0.5, 0.05, 0.001),
    *_named("few_samples", (30, 3), 0.1, 0.01),
    *_named("few_samples", (60, 2), 0.5, 0.01),
    *_named("few_samples", (60, 5), 0.1, 0.01),
    *_named("few_samples", (60, 10), 0.1, 0.022, 0.005, 0.001),
    *_named("few_samples", (60, 30), 0.1, 0.01, 0.001),
    *_named("few_samples", (100, 50), 0.1, 0.01),
    *_named("autoregression", (60, 0.9), 0.1, 0.01, 0.001),
    *_named("autoregression", (100, 0.99), 0.1, 0.01, 0.001),
    *_named("autoregression", (100, 0.999), 0.5, 0.1, 0.05, 0.01),
    *_named("autoregression", (100, 0.9999), 0.5, 0.1, 0.05, 0.01),
    *_named("equal_blocks", (60, 6, 1e-2), 0.5, 0.1, 0.01, 0.001),
    *_named("equal_blocks", (60, 6, 1e-4), 0.1, 0.01, 0.001),
    *_named("equal_blocks", (60, 6, 1e-6), 0.1, 0.01, 0.001),
    *_named("equal_blocks", (64, 16, 0.3), 0.1, 0.01, 0.001),
    *_named("one_factor", (80, 1.5), 0.1, 0.01, 0.001),
    *_named("one_factor", (80, 20), 0.1, 0.01, 0.001),
    *_named("constant", (50, 0.5), 0.9, 0.1, 0.01, 0.001),
    *_named("constant", (50, 0.999), 0.9, 0.1, 0.01, 0.001),
    *_named("spiked", (80, 3, 100), 0.1, 0.01, 0.001),
    *_named("spiked", (80, 1, 10000), 0.1, 0.01, 0.001),
]

# no solver here gets the certificate of these within 1,000 iterations
UNCERTAIN: list[Hard] = [
    *_named("few_samples", (60, 5), 0.001),
    *_named("autoregression", (100, 0.999), 0.001),
]

LARGE: list[Hard] = [
    *_named("few_samples", (200, 20), 0.1, 0.03),
    *_named("few_samples", (500, 10), 0.3),
    *_named("few_samples", (500, 250), 0.3, 0.1),
    *_named("autoregression", (300, 0.9999), 0.1),
    *_named("equal_blocks", (288, 16, 0.3, 2000), 0.01),
    *_named("equal_blocks", (300, 6, 1e-4), 0.1, 0.01),
    *_named("one_factor", (400, 1.5, 3000), 0.1),
    *_named("constant", (300, 0.9), 0.1, 0.01),
    *_named("spiked", (300, 5, 1000), 0.1, 0.01),
]

# more than ten seconds each: for the benchmark
HUGE: list[Hard] = [
    *_named("few_samples", (500, 10), 0.03),
    *_named("autoregression", (500, 0.999), 0.5, 0.1),
]
