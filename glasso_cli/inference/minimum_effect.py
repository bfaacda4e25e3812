"""Tests of H0: |effect| <= delta, which ask whether an effect is large enough to matter.

With enough tokens, every effect differs from zero. The p-value is the largest that any effect of at most ``delta`` gives:
P(T > (|x| - delta) / s) + P(T > (|x| + delta) / s) for the estimate x and its standard error s (McCarthy and Smyth, 2009,
"Testing significance relative to a fold-change threshold is a TREAT"). With ``delta`` = 0 it is the two-sided p-value.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, stdtr

from glasso_cli.inference.tails import smallest_size

_KNOTS = 40_001  # of a table of tail probabilities: its relative error is below 1e-6
_MARGIN = 9.0  # standard errors beyond which a tail changes no sum of tails
_TINY = np.log(np.finfo(float).tiny)


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
        self._knots = np.linspace(-_MARGIN, largest + _MARGIN, _KNOTS)
        with np.errstate(divide="ignore"):
            self._logs = np.maximum(np.log(_upper_tail(self._knots, freedom)), _TINY)

    def log_beyond(self, size: np.ndarray, delta: np.ndarray | float) -> np.ndarray:
        """The logarithms of the p-values of :func:`beyond`, of the shape of ``size``."""
        near, far = (np.interp(t, self._knots, self._logs) for t in (size - delta, size + delta))
        far -= near
        np.exp(far, out=far)
        np.log1p(far, out=far)
        near += far
        return np.asarray(np.minimum(near, 0.0))
