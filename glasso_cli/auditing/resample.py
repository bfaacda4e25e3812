"""Resampled sources and documents, and intervals from the numbers that they give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95  # of every interval


@dataclass(frozen=True, eq=False)
class Draw:
    """How often every source ``(S,)`` and every block of documents ``(B,)`` was drawn."""

    sources: np.ndarray
    blocks: np.ndarray


def draws(sources: int, blocks: int, count: int, seed: int) -> Iterator[Draw]:
    """``count`` times as many sources and blocks as there are, drawn with replacement, both at once (the bootstrap)."""
    rng = np.random.default_rng([seed, 2])
    for _ in range(count):
        yield Draw(_drawn(rng, sources), _drawn(rng, blocks))


def _drawn(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.bincount(rng.integers(0, count, count), minlength=count)


def halves(blocks: int, count: int, seed: int) -> Iterator[np.ndarray]:
    """``count`` random halves of the blocks, ``(B,)`` bool; with an odd number the half has one less than the rest."""
    rng = np.random.default_rng([seed, 3])
    for _ in range(count):
        half = np.zeros(blocks, bool)
        half[rng.permutation(blocks)[: blocks // 2]] = True
        yield half


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; nan where it is not known."""

    value: float
    low: float = np.nan
    high: float = np.nan
    error: float = np.nan  # standard error

    @classmethod
    def of(cls, value: float, replicates: np.ndarray, least: float = -np.inf, most: float = np.inf) -> Estimate:
        """From replicates ``(R,)``: their percentiles, moved so that their mean is ``value``, between ``least`` and ``most``.

        Replicates repeat documents, so that their effects are noisier than the measured ones, and most measures are lower
        in all of them. What is read off is how they spread.
        """
        known = replicates[np.isfinite(replicates)]
        if not np.isfinite(value) or len(known) < 2:
            return cls(float(value))
        tail = (1 - LEVEL) / 2
        low, high = np.quantile(known, [tail, 1 - tail]) + value - known.mean()
        return cls(float(value), float(max(low, least)), float(min(high, most)), float(known.std(ddof=1)))
