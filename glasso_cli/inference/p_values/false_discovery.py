"""How many of the edges taken for real are expected not to be: Benjamini and Hochberg's false discovery rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit

from glasso_cli.engine.threads import numba_limited
from glasso_cli.inference.p_values.increasing import increasing
from glasso_cli.linalg.tables import Table

_KNOTS = 20_001  # of the table of p-values: its error is 1e-6 of a p-value
_ROUNDING = 1e-12  # of a p-value, relative: equal ones are found as such
Tail = Callable[[np.ndarray], np.ndarray]


def p_values(sizes: np.ndarray, two_sided: Tail) -> np.ndarray:
    """The p-values of statistics of absolute ``sizes (m,)``; of many of them, out of a table."""

    def logs(at: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):  # a p-value may be 0, of which the logarithm is -inf
            return np.asarray(np.maximum(np.log(two_sided(at)), np.log(np.finfo(float).tiny)))

    if len(sizes) <= _KNOTS or not sizes.max() > 0:
        return np.asarray(np.exp(logs(sizes)))
    with numba_limited():
        p = Table.of(logs, 0.0, sizes.max(), _KNOTS).at(sizes)
    return np.asarray(np.exp(p, out=p))


def q_values(p_values: np.ndarray) -> np.ndarray:
    """The smallest false discovery rate at which each of m hypotheses is rejected (Benjamini and Hochberg, 1995).

    ``p_values (m,)`` are in increasing order, and so is the result. Valid for independent and positively dependent tests.
    """
    return _scaled(p_values, len(p_values))


def q_values_among(p_values: np.ndarray, others: np.ndarray, tests: int) -> np.ndarray:
    """The q-values ``(m,)`` of some of ``tests`` hypotheses, in any order; ``others`` are p-values of the rest.

    If those of the rest are left out that are above some rate, q-values up to that rate are right and all others above it.
    """
    every = np.concatenate([others, p_values])
    every.sort()
    order = np.argsort(p_values)  # a search for values in order stays in the cache
    places = np.searchsorted(every, p_values[order] * (1 - _ROUNDING))
    q = np.empty(len(p_values))
    q[order] = _scaled(every, tests)[np.minimum(places, max(len(every) - 1, 0))]
    return q


@njit(cache=True)
def _scaled(p_values: np.ndarray, tests: int) -> np.ndarray:
    """Of p-values ``(m,)``, the smallest of ``tests``, in increasing order: the least p tests / rank from each on, up to 1."""
    q = np.empty(len(p_values))
    least = 1.0
    for k in range(len(p_values) - 1, -1, -1):
        least = min(least, p_values[k] * (tests / (k + 1)))
        q[k] = least
    return q


def ordered_q_values(p_values: np.ndarray) -> np.ndarray:
    """The q-values of :func:`q_values` for p-values ``(m,)`` in any order."""
    order = np.argsort(p_values, kind="stable")
    q = np.empty(len(p_values))
    q[order] = q_values(p_values[order])
    return q


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
        """The rates among ``sizes (m,)``, which are used up; ``two_sided`` gives the p-value of a size."""
        sizes = increasing(sizes)
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
