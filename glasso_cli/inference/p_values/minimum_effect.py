"""Tests of H0: |effect| <= delta, which ask whether an effect is large enough to matter.

With enough tokens, every effect differs from zero. The p-value is the largest that any effect of at most ``delta`` gives:
P(T > (|x| - delta) / s) + P(T > (|x| + delta) / s) for the estimate x and its standard error s (McCarthy and Smyth, 2009,
"Testing significance relative to a fold-change threshold is a TREAT"). With ``delta`` = 0 it is the two-sided p-value.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange
from scipy.special import ndtr, stdtr

from glasso_cli.engine.threads import numba_limited
from glasso_cli.inference.p_values.tails import smallest_size
from glasso_cli.linalg.tables import Table, looked_up

_KNOTS = 40_001  # of a table of tail probabilities: its relative error is below 1e-6
_MARGIN = 9.0  # standard errors beyond which a tail changes no sum of tails
_TINY = np.log(np.finfo(float).tiny)
_NOTHING = -40.0  # the logarithm of a share that changes no sum


def beyond(size: np.ndarray, delta: np.ndarray | float, freedom: np.ndarray | float = np.inf) -> np.ndarray:
    """The p-values ``(m,)`` of estimates of absolute ``size (m,)`` against ``delta``, both in standard errors.

    ``freedom`` is that of Student's t: one number or ``(m,)``; inf for the normal distribution.
    """
    both = _upper_tail(size - delta, freedom) + _upper_tail(size + delta, freedom)
    return np.asarray(np.minimum(both, 1.0))


def _upper_tail(t: np.ndarray, freedom: np.ndarray | float) -> np.ndarray:
    return np.asarray(np.where(np.isfinite(freedom), stdtr(freedom, -t), ndtr(-t)))


def needed_size(rate: float, tests: int, freedom: float = np.inf) -> float:
    """How many standard errors beyond the minimum effect make one of ``tests`` a discovery at ``rate``, if no other is one."""
    return smallest_size(2 * rate / max(tests, 1), freedom)


class Tail:
    """The same p-values of very many estimates that share their degrees of freedom, out of a table."""

    def __init__(self, freedom: float, largest: float) -> None:
        """Tabulate Student's t, or the normal distribution, for estimates up to ``largest`` standard errors."""
        with np.errstate(divide="ignore"):
            self._logs = Table.of(
                lambda t: np.maximum(np.log(_upper_tail(t, freedom)), _TINY), -_MARGIN, largest + _MARGIN, _KNOTS
            )

    def log_beyond(self, size: np.ndarray, delta: np.ndarray | float) -> np.ndarray:
        """The logarithms of the p-values of :func:`beyond`, of the shape of ``size``."""
        sizes, deltas = (np.ascontiguousarray(each).reshape(-1) for each in np.broadcast_arrays(size, delta))
        out = np.empty(len(sizes))
        with numba_limited():
            _log_beyond(sizes, deltas, self._logs.first, self._logs.step, self._logs.values, out)
        return out.reshape(np.shape(size))


@njit(parallel=True, cache=True)
def _log_beyond(
    sizes: np.ndarray, deltas: np.ndarray, first: float, step: float, logs: np.ndarray, out: np.ndarray
) -> None:
    for k in prange(len(sizes)):
        near = looked_up(sizes[k] - deltas[k], first, step, logs)
        apart = looked_up(sizes[k] + deltas[k], first, step, logs) - near
        if apart > _NOTHING:
            near += math.log1p(math.exp(apart))
        out[k] = min(near, 0.0)
