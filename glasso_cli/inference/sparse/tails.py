"""Tail probabilities out of tables, for compiled loops over billions of pairs, and their counts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from scipy.special import log_ndtr, stdtr

from glasso_cli.linalg.tables import Table, looked_up

LEVELS = 1024  # counts of p-values for every factor of e
COUNTED = 0.2  # p-values above this are not counted: they make no discovery
BINS = 746 * LEVELS  # -log p is below 745 in double precision
_FIRST, _FINE = -9.0, 40.0  # standard errors between which the table has even steps
_FINE_KNOTS, _COARSE_KNOTS = 98_001, 20_001
_LARGEST = 1e9  # standard errors
_NOTHING = -40.0  # the logarithm of a share that changes no sum


@dataclass(frozen=True, eq=False)
class TailTable:
    """log P(T > t) of Student's t with ``freedom`` degrees of freedom, or of the normal distribution for infinity."""

    fine: Table  # of t
    coarse: Table  # of log t, for larger ones

    @classmethod
    def of(cls, freedom: float) -> TailTable:
        """The table of one distribution."""

        def logs(t: np.ndarray) -> np.ndarray:
            if not np.isfinite(freedom):
                return np.asarray(log_ndtr(-t))
            with np.errstate(divide="ignore"):
                return np.asarray(np.maximum(np.log(stdtr(freedom, -t)), -745.0))

        fine = Table.of(logs, _FIRST, _FINE, _FINE_KNOTS)
        coarse = Table.of(lambda x: logs(np.exp(x)), math.log(_FINE), math.log(_LARGEST), _COARSE_KNOTS)
        return cls(fine, coarse)

    def arrays(self) -> tuple[float, float, np.ndarray, float, float, np.ndarray]:
        """The members, as :func:`log_beyond` takes them."""
        fine, coarse = self.fine, self.coarse
        return fine.first, fine.step, fine.values, coarse.first, coarse.step, coarse.values


@njit(cache=True)
def _log_tail(
    t: Any, first: float, step: float, fine: np.ndarray, log_first: float, log_step: float, coarse: np.ndarray
) -> Any:
    if t < _FINE:
        return looked_up(t, first, step, fine)
    return looked_up(math.log(t), log_first, log_step, coarse)


@njit(cache=True)
def log_beyond(
    size: Any,
    delta: Any,
    first: float,
    step: float,
    fine: np.ndarray,
    log_first: float,
    log_step: float,
    coarse: np.ndarray,
) -> Any:
    """log p of an estimate of absolute ``size`` against ``delta``, both in standard errors: see :mod:`minimum_effect`."""
    near = _log_tail(size - delta, first, step, fine, log_first, log_step, coarse)
    apart = _log_tail(size + delta, first, step, fine, log_first, log_step, coarse) - near
    if apart > _NOTHING:
        near += math.log1p(math.exp(apart))
    return min(near, 0.0)


@dataclass(frozen=True, eq=False)
class CountedRates:
    """False discovery rates of m p-values that are counted in narrow classes up to ``COUNTED``; the others have a rate of 1.

    A rate of those that are counted is at most 0.1 % too large, if it is below ``COUNTED`` itself.
    """

    q: np.ndarray  # (BINS,) of each class, from large p-values to small ones
    counts: np.ndarray  # (BINS,)

    @classmethod
    def of(cls, counts: np.ndarray, tests: int) -> CountedRates:
        """The rates of Benjamini and Hochberg among ``tests`` p-values, of which some may be larger than any counted."""
        ranks = np.cumsum(counts[::-1])[::-1]
        largest = np.exp(-np.arange(BINS) / LEVELS)
        q = np.where(ranks > 0, largest * (tests / np.maximum(ranks, 1)), np.inf)
        least = np.minimum(np.minimum.accumulate(q), 1.0)
        beyond = np.flatnonzero(ranks > 0)[-1:]  # smaller ones than any counted: by rounding alone
        if len(beyond):
            least[beyond[0] :] = least[beyond[0]]
        return cls(least, counts)

    def at(self, logs: np.ndarray) -> np.ndarray:
        """The rates ``(E,)`` of some of the p-values, whose logarithms are given."""
        rates = self.q[np.minimum(-logs * LEVELS, BINS - 1).astype(np.int64)]
        return np.asarray(np.where(logs <= math.log(COUNTED), rates, 1.0))

    def discoveries(self, rate: float) -> int:
        """How many have a rate of at most ``rate``."""
        return int(self.counts[self.q <= rate].sum())
