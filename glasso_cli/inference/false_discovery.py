"""How many of the edges taken for real are expected not to be: Benjamini and Hochberg's false discovery rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_KNOTS = 20_001  # of the table of p-values: its error is 1e-6 of a p-value
Tail = Callable[[np.ndarray], np.ndarray]


def p_values(sizes: np.ndarray, two_sided: Tail) -> np.ndarray:
    """The p-values of statistics of absolute ``sizes (m,)``; of many of them, out of a table."""
    knots = np.linspace(0.0, sizes.max(), _KNOTS) if len(sizes) > _KNOTS else sizes
    with np.errstate(divide="ignore"):  # a p-value may be 0, of which the logarithm is -inf
        logs = np.maximum(np.log(two_sided(knots)), np.log(np.finfo(float).tiny))
    return np.asarray(np.exp(np.interp(sizes, knots, logs) if knots is not sizes else logs))


def q_values(p_values: np.ndarray) -> np.ndarray:
    """The smallest false discovery rate at which each of m hypotheses is rejected (Benjamini and Hochberg, 1995).

    ``p_values (m,)`` are in increasing order, and so is the result. Valid for independent and positively dependent tests.
    """
    m = len(p_values)
    scaled = p_values * (m / np.arange(1, m + 1))
    return np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)


def rejections(p_values: np.ndarray, tests: int, rate: float) -> int:
    """How many of ``tests`` hypotheses are rejected at ``rate``; ``p_values`` are at least all those up to ``rate``."""
    small = np.sort(p_values[p_values <= rate])
    passing = np.flatnonzero(small <= rate * np.arange(1, len(small) + 1) / max(tests, 1))
    return int(passing[-1]) + 1 if len(passing) else 0


@dataclass(frozen=True, eq=False)
class Rates:
    """The false discovery rate of every statistic among m of them."""

    sizes: np.ndarray  # (m,) absolute statistics, increasing
    q: np.ndarray  # (m,) of each

    @classmethod
    def among(cls, sizes: np.ndarray, two_sided: Tail) -> Rates:
        """The rates among ``sizes (m,)``, which are sorted in place; ``two_sided`` gives the p-value of a size."""
        sizes.sort()
        if len(sizes) == 0:
            return cls(sizes, sizes)
        return cls(sizes, q_values(p_values(sizes, two_sided)[::-1])[::-1])

    def of(self, sizes: np.ndarray) -> np.ndarray:
        """The rate of chosen ones of the statistics, ``(E,)``."""
        if len(sizes) == 0:
            return np.zeros(0)
        return np.asarray(self.q[np.minimum(np.searchsorted(self.sizes, sizes), len(self.sizes) - 1)])

    def discoveries(self, rate: float) -> int:
        """How many have a false discovery rate of at most ``rate``."""
        return int(np.count_nonzero(self.q <= rate))
